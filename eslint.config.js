// Only what needs types: format and plain lint are Biome's.
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

const AS_UNKNOWN_AS = {
  selector: 'TSAsExpression > TSAsExpression > TSUnknownKeyword',
  message: '`as unknown as` silences the compiler: narrow the value instead.',
};
const NOW = { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'Time is a parameter: lib/clock.ts.' };

export default defineConfig(
  { ignores: ['node_modules', 'src/generated', 'test/generated', 'data', 'coverage', '**/*.{js,cjs,mjs}'] },
  tseslint.configs.strictTypeCheckedOnly,
  tseslint.configs.stylisticTypeCheckedOnly,
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      // The compiler wants process.env['NAME'] (noPropertyAccessFromIndexSignature).
      '@typescript-eslint/dot-notation': 'off',
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/require-array-sort-compare': ['error', { ignoreStringArrays: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-misused-spread': ['error', { allow: ['string'] }],
      // Biome forbids the `!` that it asks for.
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      'no-restricted-syntax': ['error', AS_UNKNOWN_AS],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/lib/clock.ts', 'src/lib/id.ts'],
    rules: {
      'no-restricted-syntax': ['error', AS_UNKNOWN_AS, NOW],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'Time is a parameter: lib/clock.ts.' },
        { object: 'performance', property: 'now', message: 'Time is a parameter: lib/clock.ts.' },
        { object: 'Math', property: 'random', message: 'Randomness is a parameter.' },
      ],
    },
  },
  {
    // Vitest's matchers are `any`, and methods are handed to expect() unbound.
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
);
