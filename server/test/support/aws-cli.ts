import { execFile } from 'node:child_process';
import { devNull, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { AccessKeyPair } from '../../src/domain/access/access.ts';

/** An error that the service answered, as the AWS CLI reports it. */
export class AwsCliError extends Error {
  readonly stderr: string;

  constructor(stderr: string) {
    const [, name = 'unexplained', operation = '', message = ''] =
      /An error occurred \((\w+)\) when calling the (\w+) operation(?: \([^)]*\))?: (.*)/s.exec(stderr) ?? [];
    super(name === 'unexplained' ? stderr : `${operation}: ${message.trim()}`);
    this.name = name;
    this.stderr = stderr;
  }
}

export interface AwsCliCall {
  readonly endpoint: string;
  /** As the API names it: `DisconnectPlayer`. */
  readonly operation: string;
  /** Members by their names in the API. A value that is not text is given as JSON, with bytes as base64. */
  readonly input?: Readonly<Record<string, unknown>>;
  readonly credentials?: AccessKeyPair & { readonly sessionToken?: string };
  readonly region?: string;
  /** Flags that do not stand for a member, such as `--page-size=2`. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * The unmodified AWS CLI that knows GameSparks (newer ones do not): Debian's, or else one on the PATH; undefined when
 * there is none. A failed call is not tried again.
 */
export async function findAwsCli(): Promise<ReturnType<typeof createAwsCli> | undefined> {
  const aws = await findAws();
  return aws === undefined ? undefined : createAwsCli(aws);
}

export function createAwsCli(aws: string): (call: AwsCliCall) => Promise<unknown> {
  return async (call) => {
    const { exitCode, stdout, stderr } = await run(aws, argumentsOf(call), environmentOf(call));
    if (exitCode !== 0) throw new AwsCliError(stderr);
    return stdout === '' ? {} : JSON.parse(stdout);
  };
}

/**
 * The path of the program. Several may be installed, and the first on the PATH may lack the service. Asking one takes a
 * second, so `scripts/test.js` asks once for all files and passes the path in TEST_AWS_CLI, which is empty when there
 * is none.
 */
export async function findAws({ knowsGameSparks = true } = {}): Promise<string | undefined> {
  const { TEST_AWS_CLI: found } = process.env;
  if (knowsGameSparks && found !== undefined) return found === '' ? undefined : found;
  const answer = knowsGameSparks ? /arguments are required: operation/ : /invalid choice/i;
  for (const directory of ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter)]) {
    const aws = join(directory, 'aws');
    const { stderr } = await run(aws, ['gamesparks'], {});
    if (answer.test(stderr)) return aws;
  }
  return undefined;
}

/** Makes the AWS CLI know the service that the file describes, for the user with this home directory. */
export async function addAwsModel(aws: string, file: string, home: string): Promise<void> {
  const words = ['configure', 'add-model', '--service-name', 'gamesparks', '--service-model', `file://${file}`];
  const { exitCode, stderr } = await run(aws, words, { HOME: home });
  if (exitCode !== 0) throw new Error(stderr);
}

function argumentsOf({ endpoint, operation, input = {}, flags = [] }: AwsCliCall): string[] {
  const members = Object.entries(input).map(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(withBase64(value));
    // Flag and value are one word, since a value may begin with a dash.
    return `--${kebabCase(name)}=${text}`;
  });
  return ['gamesparks', kebabCase(operation), '--endpoint-url', endpoint, ...members, ...flags];
}

function withBase64(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withBase64(inner)]));
}

/** An environment without the user's own configuration. */
function environmentOf({ credentials, region = 'us-east-1', env = {} }: AwsCliCall): Record<string, string> {
  return {
    AWS_REGION: region,
    // Version 1 reads this variable.
    AWS_DEFAULT_REGION: region,
    AWS_MAX_ATTEMPTS: '1',
    AWS_PAGER: '',
    AWS_EC2_METADATA_DISABLED: 'true',
    ...(credentials === undefined
      ? {}
      : { AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey }),
    ...(credentials?.sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: credentials.sessionToken }),
    ...env,
  };
}

function run(file: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  const clean = { PATH: process.env.PATH, HOME: join(tmpdir(), 'no-such-home'), LC_ALL: 'C.UTF-8' };
  const files = { AWS_CONFIG_FILE: devNull, AWS_SHARED_CREDENTIALS_FILE: devNull };
  return new Promise<{ exitCode: number | string; stdout: string; stderr: string }>((resolve) => {
    execFile(file, [...args], { env: { ...clean, ...files, ...env } }, (error, stdout, stderr) =>
      resolve({ exitCode: error?.code ?? 0, stdout, stderr }),
    );
  });
}

function kebabCase(name: string): string {
  return name.replace(/(?<=.)[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
}
