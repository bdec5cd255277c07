// Writes the documentation that derives from the tables that run, or with --check fails when a committed copy is stale.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { EVERY_OPERATION } from '../server/dist/src/api/every-operation.js';
import { OPERATIONS } from '../server/dist/src/api/operations/index.js';
import { OWN_OPERATIONS } from '../server/dist/src/api/own-operations/index.js';
import { REFUSALS, WIRE_ERRORS } from '../server/dist/src/api/reply.js';
import { SETTING_GROUPS } from '../server/dist/src/config/config.js';
import { createArns } from '../server/dist/src/domain/arn.js';
import { METRIC_ROWS } from '../server/dist/src/metrics.js';

// When each error occurs, and its name among the common errors that AWS documents for every service ("-": none of them).
const WHEN = {
  validation: [
    'Members break constraints of the model; the message lists the first twenty and counts the rest. Or what they ask for cannot be done.',
    'ValidationError',
  ],
  access_denied: ['No policy of the access key allows the call, or one denies it.', 'AccessDeniedException'],
  not_found: ['The named resource does not exist.', '-'],
  conflict: [
    'The name is taken, another operation on it is in progress, or there are as many as the settings allow of what models no quota.',
    '-',
  ],
  quota_exceeded: ['The server has as many, or the configuration is as large, as its settings allow.', '-'],
  throttled: [
    'Too many calls of one access key, failed authentications from one address, long bodies at once, or jobs under way. `Retry-After` says when to try again.',
    'ThrottlingException',
  ],
  internal: ['The server failed; its log has the truth under the request id. Worth another try.', 'InternalFailure'],
  unknown_operation: ['No operation has this path.', 'InvalidAction'],
  method_not_allowed: ['The path exists, but not with this method; `Allow` lists those it has.', 'InvalidAction'],
  malformed_uri: ['The path is not percent-encoded UTF-8.', 'ValidationError'],
  malformed_body: ['The body is not one JSON object.', 'ValidationError'],
  body_too_large: [`The body is longer than \`RESPARK_MAX_BODY_BYTES\`, or than ${ownBodyLimits()}.`, '-'],
  body_incomplete: ['The body did not arrive in time.', '-'],
  MissingAuthenticationTokenException: ['The call is not signed.', 'MissingAuthenticationToken'],
  IncompleteSignatureException: ['A part of the signature is missing, or malformed.', 'IncompleteSignature'],
  UnrecognizedClientException: ['There is no such access key, or it is revoked.', 'InvalidClientTokenId'],
  InvalidSignatureException: [
    'The signature is not that of this request and secret, its time is too far from the server’s, or its path or query cannot be verified: it has a `..`, or is not percent-encoded UTF-8.',
    'RequestExpired, when it is the time',
  ],
};

const documents = {
  'docs/configuration.md': configuration(),
  'docs/errors.md': errors(),
  'docs/metrics.md': metrics(),
  'docs/operations.md': operations(),
};

const stale = Object.entries(documents).filter(
  ([path, text]) => !existsSync(path) || readFileSync(path, 'utf8') !== text,
);
if (process.argv.includes('--check')) {
  for (const [path] of stale) console.error(`${path} is not what the code says; run: npm run docs`);
  if (stale.length > 0) process.exitCode = 1;
} else {
  for (const [path, text] of stale) {
    writeFileSync(path, text);
    console.log(`wrote ${path}`);
  }
}

function configuration() {
  const sections = SETTING_GROUPS.map(({ title, settings }) => {
    const rows = settings.map(({ env, flag, rule, default: value, isSecret, help }) => [
      code(env),
      flag === undefined ? '-' : code(flag),
      rule,
      value === undefined || String(value) === '' ? '-' : code(value),
      isSecret ? `${help} Secret: never printed.` : help,
    ]);
    return `## ${title}\n\n${table(['Variable', 'Flag', 'Value', 'Default', 'Meaning'], rows)}`;
  });
  return document(
    'Configuration',
    `Every setting is a flag of \`respark serve\` or a variable of the environment; the flag wins. An empty variable counts as
not set, an unknown \`RESPARK_…\` variable is an error. Secrets are variables only, so that they never show in a process list;
each can also be the content of a file: \`RESPARK_SECRET_KEY_FILE=/run/secrets/respark\`.

\`respark config print\` shows every value and where it came from; \`respark config check\` only says whether all are right.`,
    ...sections,
  );
}

function errors() {
  const rows = (errorTable) =>
    Object.entries(errorTable).map(([key, { name, status }]) => {
      if (WHEN[key] === undefined) throw new Error(`say in scripts/docs.js when the error ${key} occurs`);
      const [when, common] = WHEN[key];
      return [code(name), status, when, common];
    });
  const head = ['Name', 'Status', 'When', 'Documented common error'];
  return document(
    'Errors',
    `A failed call answers with the status, the error's name in the header \`x-amzn-errortype\`, \`{"Message": "…"}\` as its
body, and its id in \`x-amzn-requestid\`. AWS documents a list of errors common to all services, whose names differ from
those that its services send; the last column is the entry of that list that means the same.`,
    `## Of the operations\n\n${table(head, rows(WIRE_ERRORS))}`,
    `## Before an operation is reached\n\n${table(head, rows(REFUSALS))}`,
    `## Before a request is read

What is no HTTP/1.1 request is answered without a name, an id or a body, and its connection is closed: 400 when it is
malformed, 408 when its head does not come in time, 413 when a chunk extension and 431 when its head is longer than 16 KiB,
417 when it expects anything but \`100-continue\`. A \`CONNECT\` is closed without an answer. An upgrade to anything but a
WebSocket is ignored, and the request served like any other.`,
  );
}

function metrics() {
  const rows = METRIC_ROWS.map(({ name, type, labels, help }) => [
    code(name),
    type,
    labels.length === 0 ? '-' : labels.map(code).join(', '),
    help,
  ]);
  return document(
    'Metrics',
    `\`GET /metrics\` answers in Prometheus's text format, \`GET /healthz\` with 200 while the process answers, \`GET /readyz\`
with 200 while it should get traffic and otherwise 503 with the causes: \`draining\`, \`store\` (it cannot be read),
\`audit log\` (it cannot be written). None of them is signed.

They are on the management listener, where metrics are for this machine only: a proxy on this machine that is not among
\`RESPARK_TRUSTED_PROXIES\` counts as this machine. With \`RESPARK_METRICS_PORT\` they have a listener of their own, which
answers everybody who reaches it, and metrics are nowhere else.

[grafana-dashboard.json](grafana-dashboard.json) shows all of them. Labels come from tables of the server and from the names
of games and stages, never from players, so that their number is bounded.`,
    table(['Name', 'Type', 'Labels', 'Meaning'], rows),
  );
}

function operations() {
  const placeholder = (name) => `\${${name}}`;
  const arns = createArns({ region: placeholder('Region'), accountId: placeholder('Account') });
  const head = ['Operation', 'Request', 'Idempotent', 'IAM action', 'Resources', 'Errors'];
  const toRow = (row) => {
    const { name, http, errors, action } = row;
    const isIdempotent = row.isIdempotent || http.method === 'GET';
    const input = Object.fromEntries(Object.keys(row.input.members).map((member) => [member, placeholder(member)]));
    const resources = row.resource(input, arns).map(code).join(' ');
    return [
      code(name),
      code(`${http.method} ${http.path}`),
      isIdempotent ? 'yes' : 'no',
      code(action),
      resources === '' ? code('*') : resources,
      errors
        .map((error) => WIRE_ERRORS[error].status)
        .sort()
        .join(', '),
    ];
  };
  return document(
    'Operations',
    `What this server speaks of the Amazon GameSparks API, version 2021-08-17. Policies match an operation when they name its
action and any of its resources. The statuses are explained in [errors.md](errors.md).`,
    table(head, OPERATIONS.map(toRow)),
    `The following operations are this server's own. AWS clients do not know them; \`respark api\` calls them, and any client that
signs for the service \`gamesparks\` can.`,
    table(head, OWN_OPERATIONS.map(toRow)),
    `What follows was decided where neither the service's model nor its documentation says it. Of all operations: texts
are well-formed Unicode without U+0000, and a call with any other is a \`ValidationException\`; in the JSON of a configuration
U+0000 may stand.`,
    ...EVERY_OPERATION.map(
      ({ name, decisions = [] }) => `## ${name}\n\n${decisions.map((text) => `- ${text}`).join('\n')}`,
    ),
  );
}

function ownBodyLimits() {
  return EVERY_OPERATION.filter(({ maxBodyBytes }) => maxBodyBytes !== undefined)
    .map(({ name, maxBodyBytes }) => `${maxBodyBytes.toLocaleString('en')} bytes for ${code(name)}`)
    .join(' and ');
}

function document(title, ...blocks) {
  return `${[`<!-- Generated by \`npm run docs\`; do not edit. -->\n\n# ${title}`, ...blocks].join('\n\n')}\n`;
}

function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.map(escapeCell).join(' | ')} |`).join('\n');
}

function escapeCell(cell) {
  return String(cell).replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function code(text) {
  return `\`${text}\``;
}
