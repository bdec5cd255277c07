import { shown } from '../../text.ts';
import { integer, list, MEBIBYTE, type Setting, type ValuesOf, variableOf } from '../setting.ts';

/** The name of a function, or a pattern of names, perhaps with a version or alias. */
const FUNCTION = /^[\w*?-]{1,64}(?::[\w$*?-]{1,128})?$/;

const rows = {
  lambdaFunctions: list({
    rule: 'names of functions, with * and ? as wildcards, separated by commas',
    isItem: (item) => FUNCTION.test(item),
    help: 'AWS Lambda functions that scripts of all games may invoke; if empty, none but those of RESPARK_LAMBDA_ROUTES. One that scripts name with a version or alias must be listed with it, as in name:Live or name:*. The server finds its AWS credentials as every program of the AWS SDK does, for instance in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from the role of its machine.',
  }),
  lambdaEndpoint: endpoint(
    'URL of a server that speaks the API of AWS Lambda; if not set, AWS itself in RESPARK_REGION. The server needs credentials for it too, whatever they are.',
  ),
  lambdaRoutes: list({
    rule: 'pairs of a name and an http or https URL without credentials, such as Match=https://match.example/invoke, separated by commas',
    isItem: (item) => faultOfRoute(item) === undefined,
    adviseOnItem: faultOfRoute,
    help: 'Functions that are no AWS Lambda: scripts invoke them by name as if they were, and the server posts the event to the URL as JSON and takes the JSON of the answer for that of the function. They need not be in RESPARK_LAMBDA_FUNCTIONS. Percent-encode commas in a URL.',
  }),
  dynamodbTables: list({
    rule: 'names of tables, with * and ? as wildcards, separated by commas',
    isItem: (item) => /^[\w.*?-]{1,255}$/.test(item),
    help: 'Amazon DynamoDB tables that scripts of all games may read and write; if empty, none. The server finds its AWS credentials as for RESPARK_LAMBDA_FUNCTIONS.',
  }),
  dynamodbEndpoint: endpoint(
    'URL of a server that speaks the API of DynamoDB; if not set, AWS itself in RESPARK_REGION. The server needs credentials for it too, whatever they are.',
  ),
  outsideHosts: list({
    rule: 'hosts such as api.example, or with a port such as 127.0.0.1:8080, separated by commas',
    isItem: (item) => faultOfHost(item) === undefined,
    adviseOnItem: faultOfHost,
    help: 'Hosts that scripts of all games may send HTTP requests to; if empty, none. A host without a port stands for https on port 443; one with a port, such as api.example:80, for https and http on that port. A name is only good for addresses of the public internet, and localhost for those of this machine: list other addresses themselves.',
  }),
  outsideTimeoutMs: integer({
    default: 3_000,
    min: 100,
    max: 60_000,
    help: 'Time that one call of a script to a function, a table or a host has in all; after that the script gets an error.',
  }),
  outsideMaxResponseBytes: integer({
    default: MEBIBYTE / 4,
    min: 1_024,
    // The sandbox hands no longer answer to a script.
    max: MEBIBYTE,
    help: 'Longest answer to such a call, as it comes over the network; for a longer one the script gets an error.',
  }),
};

export const outside = {
  title: 'What scripts may reach outside',
  rows,
  checks: [findRepeatedRoute],
};

function endpoint(help: string): Setting<string | undefined> {
  return {
    default: undefined,
    rule: 'an http or https URL without credentials or a query',
    placeholder: 'url',
    isSecret: false,
    help,
    parse: (given) => (isPlainUrl(given) && !given.includes('?') ? given : undefined),
  };
}

/** Whether requests can be sent to it, and nothing in it is a secret or would not be sent. */
function isPlainUrl(text: string): boolean {
  if (!/^https?:\/\/[^\s#]+$/.test(text) || !URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username === '' && password === '';
}

function faultOfRoute(item: string): string | undefined {
  const [, name, url] = /^([^=]*)=(.*)$/.exec(item) ?? [];
  if (name === undefined || url === undefined) return 'has no =: write it as name=https://…';
  if (!FUNCTION.test(name) || /[*?]/.test(name)) return 'does not begin with the name of a function';
  return isPlainUrl(url) ? undefined : 'does not end with an http or https URL without credentials';
}

/** What is wrong with an entry that no URL would match, and what to write instead. */
export function faultOfHost(item: string): string | undefined {
  if (item.includes('*')) return 'has a wildcard: list every host by name';
  if (item.includes('/')) return 'has a scheme or a path: write the host alone, as in api.example or api.example:8080';
  const [, host = '', port] = /^(.*?)(?::(\d+))?$/.exec(item) ?? [];
  const url = `http://${host}`;
  if (host.includes('@') || !URL.canParse(url) || new URL(url).port !== '') {
    const isAddress = URL.canParse(`http://[${item}]`);
    return isAddress ? `is an address of IPv6: write [${item}], with its port behind the bracket` : 'is no host';
  }
  const { hostname } = new URL(url);
  if (hostname !== host)
    return `is not spelled as in a URL: write ${shown(hostname + (port === undefined ? '' : `:${port}`))}`;
  if (port === undefined) return undefined;
  const isPort = /^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65_535;
  return isPort ? undefined : 'has no port of 1-65535';
}

function findRepeatedRoute({ lambdaRoutes }: ValuesOf<typeof rows>): string | undefined {
  const names = lambdaRoutes.map((route) => route.slice(0, route.indexOf('=')));
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated === undefined) return undefined;
  return `${variableOf('lambdaRoutes')} has two URLs for ${shown(repeated)}; keep one of them`;
}
