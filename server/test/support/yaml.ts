export type Yaml = string | number | boolean | null | readonly Yaml[] | { readonly [key: string]: Yaml };

interface Line {
  readonly indent: number;
  readonly text: string;
}

/**
 * Reads the part of YAML that this repository writes: block maps and lists, block texts, plain and quoted scalars, JSON as
 * flow values, and maps with an anchor that others merge. Throws for a line that it does not understand. One value for each document of the text.
 */
export function readYaml(text: string): Yaml[] {
  return text.split(/^---$/m).map((document) => {
    const lines = document.split('\n').map((line) => ({ indent: line.search(/\S|$/), text: line.trim() }));
    const reader = new Reader(lines);
    const value = reader.block(0);
    reader.expectEnd();
    return value;
  });
}

class Reader {
  #lines: Line[];
  readonly #anchors = new Map<string, Yaml>();

  constructor(lines: readonly Line[]) {
    this.#lines = [...lines];
  }

  block(minIndent: number): Yaml {
    const first = this.#peek();
    if (first === undefined || first.indent < minIndent) return null;
    return isItem(first.text) ? this.#list(first.indent) : this.#map(first.indent);
  }

  expectEnd(): void {
    const rest = this.#peek();
    if (rest !== undefined) throw new Error(`unexpected line: ${rest.text}`);
  }

  #list(indent: number): Yaml[] {
    const items: Yaml[] = [];
    for (let line = this.#peek(); line?.indent === indent && isItem(line.text); line = this.#peek()) {
      this.#lines.shift();
      const rest = line.text.slice(1).trimStart();
      const inner = indent + line.text.length - rest.length;
      if (keyOf(rest) === undefined) {
        items.push(scalar(rest));
        continue;
      }
      this.#lines.unshift({ indent: inner, text: rest });
      items.push(this.#map(inner));
    }
    return items;
  }

  #map(indent: number): { [key: string]: Yaml } {
    const map: { [key: string]: Yaml } = {};
    for (let line = this.#peek(); line?.indent === indent; line = this.#peek()) {
      const key = keyOf(line.text);
      if (key === undefined) throw new Error(`not a key and a value: ${line.text}`);
      if (key.name in map) throw new Error(`two values for ${key.name}`);
      this.#lines.shift();
      if (key.name === '<<') Object.assign(map, this.#anchors.get(key.rest.slice(1)));
      else map[key.name] = this.#valueOf(key.rest, indent);
    }
    return map;
  }

  #valueOf(rest: string, indent: number): Yaml {
    if (rest === '|') return this.#text(indent);
    const [, anchor] = /^&(\w+)$/.exec(rest) ?? [];
    if (anchor !== undefined) {
      const value = this.block(indent + 1);
      this.#anchors.set(anchor, value);
      return value;
    }
    if (rest !== '') return scalar(rest);
    // The items of a list may stand as far to the left as their key.
    const next = this.#peek();
    return this.block(next !== undefined && isItem(next.text) ? indent : indent + 1);
  }

  #text(indent: number): string {
    const lines: string[] = [];
    for (let line = this.#lines[0]; line && (line.text === '' || line.indent > indent); line = this.#lines[0]) {
      lines.push(line.text);
      this.#lines.shift();
    }
    return lines.join('\n');
  }

  /** The next line that says something. */
  #peek(): Line | undefined {
    while (this.#lines[0] && (this.#lines[0].text === '' || this.#lines[0].text.startsWith('#'))) this.#lines.shift();
    return this.#lines[0];
  }
}

function isItem(text: string): boolean {
  return text === '-' || text.startsWith('- ');
}

function keyOf(text: string): { name: string; rest: string } | undefined {
  const [, name, rest = ''] = /^([\w./-]+|<<):(?:\s+(.*))?$/.exec(text) ?? [];
  return name === undefined ? undefined : { name, rest: withoutComment(rest) };
}

function withoutComment(text: string): string {
  return /^["'[{]/.test(text) ? text : text.replace(/(?:^|\s+)#.*$/, '');
}

function scalar(text: string): Yaml {
  if (/^["[{]/.test(text)) return JSON.parse(text.replace(/\s+#[^"\]}]*$/, '')) as Yaml;
  if (text.startsWith("'")) return text.slice(1, -1).replaceAll("''", "'");
  const plain = withoutComment(text);
  if (/^-?\d+(?:\.\d+)?$/.test(plain)) return Number(plain);
  if (plain === 'true' || plain === 'false') return plain === 'true';
  return plain;
}
