/** Older releases lack what the server needs. `bin/respark.js` refuses them before it loads anything. */
const OLDEST = '20.19.0';
const RECOMMENDED = 24;

/**
 * For each line of Node.js the day on which its support ends (github.com/nodejs/Release) and, while it is supported, the
 * release that mended the faults published last (nodejs.org/en/blog/vulnerability). Of newer lines nothing is known yet.
 */
const LINES: Readonly<Record<number, { readonly endsOn: string; readonly secure?: string }>> = {
  20: { endsOn: '2026-04-30', secure: '20.20.2' },
  21: { endsOn: '2024-06-01' },
  22: { endsOn: '2027-04-30', secure: '22.23.0' },
  23: { endsOn: '2025-06-01' },
  24: { endsOn: '2028-04-30', secure: '24.17.0' },
  25: { endsOn: '2026-06-01' },
  26: { endsOn: '2029-04-30', secure: '26.3.1' },
};

/** What is wrong with running a server on a release of Node.js, and what to do. */
export interface NodeFault {
  /** Whether the server does not run at all. */
  readonly isFatal: boolean;
  readonly detail: string;
  readonly advice: string;
}

/** Undefined when nothing is known against the release at this time, in milliseconds since 1970. */
export function findNodeFault(version: string, now: number): NodeFault | undefined {
  if (isOlder(version, OLDEST)) {
    return { isFatal: true, detail: `${version} is older than ${OLDEST}`, advice: `install Node.js ${RECOMMENDED}` };
  }
  const line = LINES[Number.parseInt(version, 10)];
  if (line === undefined) return undefined;
  const { endsOn, secure } = line;
  if (now >= Date.parse(endsOn)) {
    const detail = `${version} has had no security fixes since ${endsOn}`;
    return { isFatal: false, detail, advice: `install Node.js ${RECOMMENDED}` };
  }
  if (secure === undefined || !isOlder(version, secure)) return undefined;
  const detail = `${version} has security faults that ${secure} mends`;
  return { isFatal: false, detail, advice: `install ${secure} or later` };
}

function isOlder(version: string, other: string): boolean {
  const [own, others] = [version, other].map((text) => text.split('.').map((part) => Number.parseInt(part, 10)));
  const differing = own?.findIndex((part, index) => part !== others?.[index]) ?? -1;
  return differing !== -1 && (own?.[differing] ?? 0) < (others?.[differing] ?? 0);
}
