// Telegram's HTML: https://core.telegram.org/bots/api#html-style

export interface Entity {
  type: 'bold' | 'italic' | 'code' | 'pre' | 'text_link';
  /** UTF-16 units. */
  offset: number;
  length: number;
  url?: string;
}

export interface ParsedHtml {
  text: string;
  entities: Entity[];
}

/** The text and entities of a message. Throws, as Telegram answers 400, where the markup cannot be parsed. */
export function parseTelegramHtml(html: string): ParsedHtml {
  let text = '';
  const entities: Entity[] = [];
  const open: { tag: string; offset: number; url: string | undefined }[] = [];
  for (const [token] of html.matchAll(TOKENS)) {
    if (token === '<' || token === '>') throw new Error(`can't parse entities: a stray ${token} at ${text.length}`);
    if (!token.startsWith('<')) text += token.startsWith('&') ? characterOf(token) : token;
    else if (token.startsWith('</')) close(token.slice(2, -1));
    else begin(token);
  }
  if (open.length > 0) throw new Error(`can't parse entities: no end of ${open.at(-1)?.tag}`);
  return { text, entities };

  function begin(token: string): void {
    const [, tag = '', attributes = ''] = OPENING.exec(token) ?? [];
    const url = LINK.exec(attributes)?.[1];
    if (TYPES[tag] === undefined || (tag === 'a') !== (url !== undefined) || (tag !== 'a' && attributes !== ''))
      throw new Error(`can't parse entities: ${tag}`);
    if (open.some(({ tag: outer }) => outer === 'code' || outer === 'pre')) throw new Error(`can't parse entities: ${tag} within code`);
    open.push({ tag, offset: text.length, url: url?.replaceAll(REFERENCES, characterOf) });
  }

  function close(tag: string): void {
    const last = open.pop();
    const type = TYPES[tag];
    if (last?.tag !== tag || type === undefined) throw new Error(`can't parse entities: unexpected end of ${tag}`);
    const length = text.length - last.offset;
    if (length > 0) entities.push({ type, offset: last.offset, length, ...(last.url === undefined ? {} : { url: last.url }) });
  }
}

/**
 * What Telegram makes mentions, links, hashtags and commands of in a text that says nothing of them: it looks everywhere but within code, pre and links
 * (https://core.telegram.org/bots/api#messageentity). Any name with a dot counts as a domain here.
 */
export function autoEntities({ text, entities }: ParsedHtml): string[] {
  const units = text.split('');
  for (const { type, offset, length } of entities) if (type === 'code' || type === 'pre' || type === 'text_link') units.fill(' ', offset, offset + length);
  return units.join('').match(AUTO) ?? [];
}

const TOKENS = /<\/?[a-z][^<>]*>|<|>|&[^;\s&<>]*;?|[^<>&]+/gi;
const OPENING = /^<([a-z]+)(?: ([^<>]*))?>$/;
const LINK = /^href="([^"<>]*)"$/;
const REFERENCES = /&[^;\s&]*;?/g;
const AUTO = /[@#$]\w+|\/\w+|\w+:\/\/\S+|[\p{L}\d-]+\.\p{L}{2,}|\S+@\S+|\+\d{7,}/gu;
const TYPES: Record<string, Entity['type']> = { b: 'bold', strong: 'bold', i: 'italic', em: 'italic', code: 'code', pre: 'pre', a: 'text_link' };
const CHARACTERS: Record<string, string> = { '&lt;': '<', '&gt;': '>', '&amp;': '&', '&quot;': '"' };

/** Telegram knows four names; an ampersand that begins none of them is a sign that somebody forgot to escape it. */
function characterOf(reference: string): string {
  const character = CHARACTERS[reference];
  if (character === undefined) throw new Error(`can't parse entities: ${reference}`);
  return character;
}
