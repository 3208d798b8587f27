/** Finds many byte strings at once. */
export interface ByteSearch {
  /**
   * For each byte of `text` the length of the longest needle that ends there (0 where none does), and how many bytes at the end of
   * `text` are the beginning of a needle.
   */
  scan(text: Uint8Array): { lengths: Int32Array; tail: number };
}

/**
 * The automaton of Aho and Corasick (CACM 18, 1975): scanning costs one step a byte however many needles there are and whatever they
 * hold, where a RegExp of alternatives can be driven to text × needles. Empty needles are left out.
 */
export function createByteSearch(needles: readonly Uint8Array[]): ByteSearch {
  const trie = buildTrie(needles);
  const { edges, depths, longest } = trie;
  const fails = linkFails(trie);
  // Nearly every step of a harmless text ends here.
  const firsts = Int32Array.from({ length: 256 }, (_, byte) => edges.get(edgeKey(ROOT, byte)) ?? ROOT);

  function step(from: number, byte: number): number {
    for (let node = from; node !== ROOT; node = fails[node] ?? ROOT) {
      const next = edges.get(edgeKey(node, byte));
      if (next !== undefined) return next;
    }
    return firsts[byte] ?? ROOT;
  }

  function scan(text: Uint8Array): { lengths: Int32Array; tail: number } {
    const lengths = new Int32Array(text.length);
    let node = ROOT;
    for (let index = 0; index < text.length; index += 1) {
      node = step(node, text[index] ?? 0);
      lengths[index] = longest[node] ?? 0;
    }
    return { lengths, tail: depths[node] ?? 0 };
  }

  return { scan };
}

/** Nodes are numbers in the order of their making, so a parent comes before its children; ROOT is the empty string. */
interface Trie {
  edges: Map<number, number>;
  parents: number[];
  /** The byte that leads to the node. */
  bytes: number[];
  depths: number[];
  /** Length of the longest needle that ends at the node. */
  longest: number[];
}

const ROOT = 0;

function edgeKey(node: number, byte: number): number {
  return node * 256 + byte;
}

function buildTrie(needles: readonly Uint8Array[]): Trie {
  const trie: Trie = { edges: new Map(), parents: [ROOT], bytes: [0], depths: [0], longest: [0] };
  for (const needle of needles) {
    let node = ROOT;
    for (const byte of needle) node = trie.edges.get(edgeKey(node, byte)) ?? addNode(trie, node, byte);
    trie.longest[node] = needle.length;
  }
  return trie;
}

function addNode(trie: Trie, parent: number, byte: number): number {
  const node = trie.parents.length;
  trie.edges.set(edgeKey(parent, byte), node);
  trie.parents.push(parent);
  trie.bytes.push(byte);
  trie.depths.push((trie.depths[parent] ?? 0) + 1);
  trie.longest.push(0);
  return node;
}

/** For each node the one of its longest proper suffix; a needle that ends at that suffix ends at the node too. */
function linkFails({ edges, parents, bytes, depths, longest }: Trie): Int32Array {
  const fails = new Int32Array(parents.length);
  const byDepth = [...parents.keys()].sort((a, b) => (depths[a] ?? 0) - (depths[b] ?? 0));
  for (const node of byDepth) {
    const parent = parents[node] ?? ROOT;
    if (node === ROOT || parent === ROOT) continue;
    const byte = bytes[node] ?? 0;
    let suffix = fails[parent] ?? ROOT;
    while (suffix !== ROOT && !edges.has(edgeKey(suffix, byte))) suffix = fails[suffix] ?? ROOT;
    const fail = edges.get(edgeKey(suffix, byte)) ?? ROOT;
    fails[node] = fail;
    longest[node] = Math.max(longest[node] ?? 0, longest[fail] ?? 0);
  }
  return fails;
}
