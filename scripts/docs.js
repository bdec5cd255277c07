// Writes the documentation that derives from the tables that run, or with --check fails when a committed copy is stale.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { EVERY_OPERATION } from '../server/dist/src/api/every-operation.js';
import { OPERATIONS } from '../server/dist/src/api/operations/index.js';
import { OWN_OPERATIONS } from '../server/dist/src/api/own-operations/index.js';
import { REFUSALS, WIRE_ERRORS } from '../server/dist/src/api/reply.js';
import { REHEARSAL_RULES } from '../server/dist/src/cli/rehearsal-rules.js';
import { SETTING_GROUPS } from '../server/dist/src/config/config.js';
import { actionsOf, GRANTS, ROLES } from '../server/dist/src/domain/access/roles.js';
import { createArns } from '../server/dist/src/domain/arn.js';
import { EVENT_TYPES } from '../server/dist/src/domain/events/event-types.js';
import { SCRIPT_API } from '../server/dist/src/domain/runtime/script-api.js';
import { METRIC_ROWS } from '../server/dist/src/metric-rows.js';
import { consoleOperations, consoleScriptCalls } from './console-operations.js';

// When each error occurs, and the error that means the same in AWS's list of errors common to all services ("-" if none does).
const WHEN = {
  validation: [
    'The input breaks constraints of the model (the message lists the first twenty and counts the rest), or asks for something that cannot be done.',
    'ValidationError',
  ],
  access_denied: ['No policy of the access key allows the call, or a policy denies it.', 'AccessDeniedException'],
  not_found: ['The named resource does not exist.', '-'],
  conflict: [
    'The name is taken, another operation on the resource is in progress, or a limit of the settings is reached and the model gives the operation no quota error.',
    '-',
  ],
  quota_exceeded: [
    'The call would exceed the number of games or the size of a configuration that the settings allow.',
    '-',
  ],
  throttled: [
    'There are too many calls with one access key, failed authentications from one address, long bodies at once or from one address, or jobs under way. `Retry-After` says when to try again.',
    'ThrottlingException',
  ],
  internal: [
    'The server failed. Its log has the cause under the request id. Trying again may help.',
    'InternalFailure',
  ],
  unknown_operation: ['No operation has this path.', 'InvalidAction'],
  method_not_allowed: ['The path exists, but not with this method; `Allow` lists the methods it has.', 'InvalidAction'],
  malformed_uri: ['The path is not percent-encoded UTF-8.', 'ValidationError'],
  malformed_body: ['The body is not one JSON object, or its chunks are malformed.', 'ValidationError'],
  body_too_large: [`The body is longer than \`RESPARK_MAX_BODY_BYTES\`, or than ${ownBodyLimits()}.`, '-'],
  draining: ['The node is about to stop. `Retry-After` says when to try again.', 'ServiceUnavailable'],
  body_incomplete: ['The body did not arrive in time.', '-'],
  MissingAuthenticationTokenException: ['The call is not signed.', 'MissingAuthenticationToken'],
  IncompleteSignatureException: ['A part of the signature is missing or malformed.', 'IncompleteSignature'],
  UnrecognizedClientException: ['The access key does not exist or has been revoked.', 'InvalidClientTokenId'],
  InvalidSignatureException: [
    'The signature does not match the request and the key’s secret, its time is too far from the server’s, or the path or query cannot be verified because it contains `..` or is not percent-encoded UTF-8.',
    'RequestExpired, if it is the time',
  ],
};

const documents = {
  'console/src/api/operations.ts': consoleOperations(EVERY_OPERATION, Object.keys(EVENT_TYPES)),
  'console/src/api/script-calls.ts': consoleScriptCalls(SCRIPT_API),
  'docs/cloud-code.md': cloudCode(),
  'docs/configuration.md': configuration(),
  'docs/errors.md': errors(),
  'docs/metrics.md': metrics(),
  'docs/operations.md': operations(),
  'docs/policies.md': policies(),
  'docs/rehearsal.md': rehearsal(),
  'docs/webhooks.md': webhooks(),
};

const stale = Object.entries(documents).filter(
  ([path, text]) => !existsSync(path) || readFileSync(path, 'utf8') !== text,
);
if (process.argv.includes('--check')) {
  for (const [path] of stale) console.error(`${path} does not match the code; run: npm run docs`);
  if (stale.length > 0) process.exitCode = 1;
} else {
  for (const [path, text] of stale) {
    writeFileSync(path, text);
    console.log(`wrote ${path}`);
  }
}

/** The page about cloud code is written by hand, but for the calls that scripts can make. */
function cloudCode() {
  const page = readFileSync('docs/cloud-code.md', 'utf8');
  const [, before, after] =
    /^(.*\n<!-- generated calls begin here -->\n).*(\n<!-- generated calls end here -->\n.*)$/s.exec(page) ?? [];
  if (before === undefined) throw new Error('docs/cloud-code.md has lost the comments around its generated calls');
  const sections = SCRIPT_API.map(({ getter, does, calls }) => {
    const rows = calls.map(({ name, parameters, returns, does: deed }) => [
      `\`${name}(${parameters})\``,
      returns === 'void' ? '' : `\`${returns}\``,
      deed,
    ]);
    return `### GameSparks().${getter}\n\n${does}\n\n${table(['call', 'returns', 'does'], rows)}`;
  });
  return `${before}\n${sections.join('\n\n')}\n${after}`;
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
    `Every setting can be given as an environment variable, and all but secrets also as a flag of \`respark serve\`; if both are
given, the flag wins. An empty variable counts as not set, and an unknown \`RESPARK_…\` variable is an error. Secrets have no
flag, so that they never appear in a list of processes. A secret can also be read from a file, which a second variable names:
\`RESPARK_SECRET_KEY_FILE=/run/secrets/respark\`.

Where a limit that is set does not fit a default, the default gives way: longer frames bring larger bursts of bytes and
outboxes, and fewer connections, handshakes or sockets bring as few for one address. What is set itself must agree.

\`respark config print\` shows every value and where it comes from; \`respark config check\` only checks that all values are valid.

In a [cluster](scaling.md) the limits of connections, addresses, handshakes and failed authentications are each node's own, so
that several nodes allow several times as much; rates of calls and of their replies' bytes are shared out over the nodes.`,
    ...sections,
  );
}

function errors() {
  const rows = (errorTable) =>
    Object.entries(errorTable).map(([key, { name, status }]) => {
      if (WHEN[key] === undefined)
        throw new Error(`scripts/docs.js must say when the error ${key} occurs: add it to WHEN`);
      const [when, common] = WHEN[key];
      return [code(name), status, when, common];
    });
  const head = ['Name', 'Status', 'When', 'Documented common error'];
  return document(
    'Errors',
    `The reply to a failed call has the status below, the error's name in the header \`x-amzn-errortype\`, the request id in
\`x-amzn-requestid\`, and \`{"Message": "…"}\` as its body. AWS documents a list of errors common to all services, under other
names than its services send; the last column is the entry of that list that means the same.`,
    `## Errors of operations\n\n${table(head, rows(WIRE_ERRORS))}`,
    `## Errors before an operation is reached\n\n${table(head, rows(REFUSALS))}`,
    `## Errors before a request is read

A request that is not proper HTTP/1.1 is answered with a bare status, without an error name, a request id or a body, and
its connection is closed: 400 if it is malformed, 408 if its head does not arrive in time, 413 if a chunk extension and 431
if the head is longer than 16 KiB, and 417 if it expects anything but \`100-continue\`. The connection of a \`CONNECT\` is closed
without an answer. An upgrade to anything but a WebSocket is ignored, and the request is served like any other.`,
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
    `\`GET /metrics\` answers in Prometheus's text format. \`GET /healthz\` answers with 200 as long as the process responds.
\`GET /readyz\` answers with 200 while the server should get traffic, and otherwise with 503 and the causes: \`draining\`,
\`data directory\` (it was moved or deleted), \`store\` (it cannot be read), \`store takes no writes\` (for ten seconds, so that a short fail-over leaves the nodes ready), \`audit log\` (it cannot be written), \`directory\` (Redis is away or
recovering; never on a single node). None of these requests needs a signature. \`OPTIONS /\`, the
default check of HAProxy, is answered with 200 by every listener, whether ready or not.

A server that gets SIGTERM, or SIGINT outside a terminal, says \`draining\` for \`RESPARK_DRAIN_DELAY_MS\`, while it goes on listening; then it stops
listening and closes its players. A listener for metrics goes on answering until the process ends.

The management listener serves all three, but \`/metrics\` only to this machine: a request that a proxy sent is
refused unless \`RESPARK_TRUSTED_PROXIES\` lists the proxy and its \`X-Forwarded-For\` names this machine,
and so is one whose \`Host\` is no loopback name, because a web page may have led its own name here. With \`RESPARK_METRICS_PORT\` they have a listener of their own, which
answers every client that can reach it; \`/metrics\` is then no longer on the management listener.

The dashboard [grafana-dashboard.json](grafana-dashboard.json) shows all metrics, and
[prometheus-alerts.yml](prometheus-alerts.yml) has alerts that say what to do. Labels come from the server's own tables and
from the names of games, stages and messages, never from players. Each node tells 300 names of a game's messages apart, so
their number is bounded.`,
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
    `These are the operations of the Amazon GameSparks API, version 2021-08-17. A policy matches a call if it names the operation's
action and any of its resources. [errors.md](errors.md) explains the statuses.`,
    table(head, OPERATIONS.map(toRow)),
    `The following operations are this server's own. AWS clients do not know them; call them with \`respark api\`, or with any
client that signs for the service \`gamesparks\`. A member of their bodies that they do not have is a \`ValidationException\`, and so is
one that is null, except texts such as \`Reason\`, \`Message\` and \`Description\`: a misspelled \`Seconds\` would block for good.`,
    table(head, OWN_OPERATIONS.map(toRow)),
    `The rest of this page is what was decided where neither the service's model nor its documentation says what to do. For all
operations: a text must be well-formed Unicode without U+0000, or the call is a \`ValidationException\`; only the JSON of a
configuration may contain U+0000.`,
    ...EVERY_OPERATION.map(
      ({ name, decisions = [], additions }) =>
        `## ${name}\n\n${[...decisions, ...(additions?.decisions ?? [])].map((text) => `- ${text}`).join('\n')}`,
    ),
  );
}

function policies() {
  const roles = Object.keys(ROLES);
  const mayDo = Object.fromEntries(roles.map((role) => [role, new Set(actionsOf(role))]));
  // What --game and --stage make of an action of each reach.
  const limits = {
    server: 'only without `--game`',
    public: 'always',
    game: 'the game',
    stages: 'the game; not with `--stage`',
    stage: 'the stage, or all stages of the game',
    tagged: 'the game and its stages, or the stage',
  };
  return document(
    'Access keys and their policies',
    `\`respark keys create --role ROLE [--game GAME [--stage STAGE]]\` makes a key for a role, and \`--print-policy\` shows its policy
document. \`respark keys create --policy FILE\` takes any other document. Both leave a record in the audit log, with the SHA-256
of the document. CreateAccessKey and the console ([console.md](console.md)) do the same for keys that may make others, and
ExplainAccess says why a key, or a policy that no key has yet, would be allowed a call or not.`,
    '## Who may make keys',
    `By the commands, whoever has the data directory. By a call, a key whose policy allows \`respark:CreateAccessKey\` on \`*\`, such as one
of the role \`admin\` without \`--game\`, and **no key makes one that may do more than itself**:`,
    `- An action may be given to a new key only if the maker's policy allows it on \`*\`, in a statement without a condition, and denies
  it nowhere. So a key that is limited to a game, an address or a time gives none of that away.
- Wildcards and NotAction in an Allow include what later versions add. Only a key that is allowed \`*\` on \`*\` and denied nothing,
  such as the root key, may give them away; an \`admin\` names each action, or a role.
- The root key and a caller's own are not revoked by a call, so there is always a key that may make others; but a key that expires
  may be given back by RevokeOwnAccessKey. Every other key may
  be revoked by whoever may call RevokeAccessKey, and the keys that it has made stay: ListAuditRecords with it as \`Actor\` has them.
- Wildcards that are there already, such as \`respark:*\` on \`*\`, include CreateAccessKey and RevokeAccessKey. Such a key can make
  no greater one, but can revoke others; where it should not, deny it both.
- Whoever makes keys can also be the second person who confirms a job (\`ConfirmAbove\`), under another key: the server does
  not know whose a key is that somebody has made. Give \`respark:CreateAccessKey\` to few, and look at its records. The keys
  that one person gets by signing in ([console.md](console.md#sign-in-for-teams)) count as one, also when the first has ended.`,
    '## Roles',
    roles.map((role) => `- ${code(role)} ${ROLES[role]}.`).join('\n'),
    `A key made for a role never gains an action that a later version adds. The last column says what an action is limited to in
a role with \`--game\` or \`--stage\`. With \`--stage\`, a \`developer\` still changes the configuration and the snapshots of the whole
game, which other stages get only by a deployment, and an \`admin\` the game itself, but neither reaches another stage.`,
    table(
      ['Action', ...roles.map(code), 'Limited to'],
      Object.entries(GRANTS).map(([action, { reach }]) => [
        code(action),
        ...roles.map((role) => (mayDo[role].has(action) ? 'yes' : '')),
        limits[reach],
      ]),
    ),
    '## Policy documents',
    `The language is IAM's: Version 2012-10-17; statements of Sid, Effect, Action or NotAction, Resource or NotResource, and
Condition. [operations.md](operations.md) has the actions and resources. What the server could not honour is refused when the
key is made, so that no part of a policy is silently ignored:`,
    `- The condition keys are \`aws:SourceIp\`, \`aws:SecureTransport\`, \`aws:CurrentTime\`, \`aws:TagKeys\`, \`aws:RequestTag/KEY\` and
  \`aws:ResourceTag/KEY\`. Any other one is refused, and so are policy variables such as \`\${aws:username}\`: a Deny with a
  condition that is never met would protect nothing.
- The case of \`KEY\` does not count. Tags that differ only in case must all meet a condition that allows, and one of them suffices
  to deny: so none of them hides another one.
- Actions of other services, such as \`logs:*\` in a policy of an AWS account, are taken with a warning: they are never called
  here, so they neither allow nor deny anything. Names that look like \`gamesparks\` or \`respark\` with a slip of the pen are refused.
- Resources of other services are taken, with a warning, in an Allow that also names one of this server. Elsewhere they are
  refused.
- Resources of another region or account than the server's are taken, with a warning, since there may be servers for those: here
  they allow nothing, and protect nothing.
- As in IAM, a Deny on a stage does not protect it from \`gamesparks:DeleteGame\`, whose resource is the game, nor does it hide
  the stage's game key from \`gamesparks:ListStages\`. Deny those on the game too.
- In the same way, a Deny on a player does not keep that player out of what is done to a stage or a game, such as
  \`respark:StartDisconnectJob\`, \`respark:SendNotificationToStage\` and \`respark:BlockPlayerInGame\`. Deny those on the stage or
  the game too.`,
  );
}

/** The page about rehearsals is written by hand, but for the rules. */
function rehearsal() {
  const page = readFileSync('docs/rehearsal.md', 'utf8');
  const [, before, after] =
    /^(.*\n<!-- generated rules begin here -->\n).*(\n<!-- generated rules end here -->\n.*)$/s.exec(page) ?? [];
  if (before === undefined) throw new Error('docs/rehearsal.md has lost the comments around its generated rules');
  const rows = REHEARSAL_RULES.map(({ name, meaning, expected, sentence }) => [
    code(name),
    meaning,
    { back: 'come back', away: 'stay away' }[expected],
    sentence,
  ]);
  const head = ['name', 'what happens to the client', 'it must', 'because the protocol says'];
  return `${before}\n${table(head, rows)}\n${after}`;
}

/** The page about webhooks is written by hand, but for the types of events. */
function webhooks() {
  const page = readFileSync('docs/webhooks.md', 'utf8');
  const [, before, after] =
    /^(.*\n<!-- generated events begin here -->\n).*(\n<!-- generated events end here -->\n.*)$/s.exec(page) ?? [];
  if (before === undefined) throw new Error('docs/webhooks.md has lost the comments around its generated events');
  const rows = Object.entries(EVENT_TYPES).map(([type, { when, data }]) => [
    code(type),
    when,
    Object.entries(data)
      .map(([name, { type, isOptional, help }]) => `${code(name)} (${type}${isOptional ? ', optional' : ''}): ${help}`)
      .join('<br>'),
  ]);
  return `${before}\n${table(['type', 'when', 'data'], rows)}\n${after}`;
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
