/** One member of an event's data. */
interface DataMember {
  readonly type: 'text' | 'number' | 'object';
  readonly isOptional?: true;
  readonly help: string;
}

const text = (help: string) => ({ type: 'text', help }) as const;
const number = (help: string) => ({ type: 'number', help }) as const;
const optional = <Member extends DataMember>(member: Member) => ({ ...member, isOptional: true }) as const;

const connectionId = text('The connection, by the id that `GetPlayerConnectionStatus` and `DisconnectPlayer` give it.');

/** Every type of event, when it comes, and what its `data` has. The documentation and the types derive from this. */
export const EVENT_TYPES = {
  'connection.opened': {
    when: 'A player’s connection has been welcomed.',
    data: { connectionId, runtimeId: text('The runtime that it opened on.') },
  },
  'connection.closed': {
    when: 'A connection that had been welcomed has ended, whoever ended it.',
    data: {
      connectionId,
      code: number('The close code, as in the protocol; 1006 when there was no close frame.'),
      close: text(
        'The name of the close code; `client` when the player’s side ended the connection, `node_ended` when the process that held it died.',
      ),
      reason: optional(text('Why, in words, where there is more to say than the name does.')),
      reasonCode: optional(text('The game’s own code for the reason, where a disconnect gave one.')),
      requestId: optional(text('The call that ended it, which the audit log has too.')),
      lastedMs: optional(number('How long it lasted; missing for `node_ended`.')),
    },
  },
  'player.disconnect_called': {
    when: 'A `DisconnectPlayer` call, or a script’s, has ended.',
    data: {
      requestId: text('The call, by its request id.'),
      cause: text('`operator`, or `script` for a handler, whose name may be any.'),
      actor: text('Who has called: the id of an access key, or the name of the handler.'),
      closed: number('How many connections are proven closed.'),
      unproven: number('How many are not.'),
      reasonCode: optional(text('The game’s own code for the reason, if the call gave one.')),
    },
  },
  'player.blocked': {
    when: 'A player was blocked from a stage, or from the whole game.',
    data: {
      requestId: text('The call, by its request id.'),
      actor: text('Who has called.'),
      until: optional(text('When the block ends, in ISO 8601; missing for good.')),
      reasonCode: optional(text('The game’s own code for the reason.')),
    },
  },
  'player.unblocked': {
    when: 'A block was lifted.',
    data: { requestId: text('The call, by its request id.'), actor: text('Who has called.') },
  },
  'deployment.completed': {
    when: 'A deployment to a stage has ended, well or not.',
    data: {
      deploymentId: text('The deployment, whose id is that of the runtime that it makes.'),
      snapshotId: text('What was deployed.'),
      resultCode: text('`SUCCESS`, `INVALID_ROLE_FAILURE` or `UNSPECIFIED_FAILURE`.'),
    },
  },
  'job.finished': {
    when: 'A job has ended, well or not.',
    data: {
      jobId: text('The job.'),
      kind: text('What the job did.'),
      state: text('How it has ended.'),
      counts: optional({ type: 'object', help: 'What it has done, as numbers by name.' } as const),
    },
  },
  'events.lost': {
    when: 'Events were dropped before they could be sent, or kept: there were too many, or they became too old. Every receiver gets it, whatever types it asks for.',
    data: { count: number('How many, of whatever types.') },
  },
  'webhook.test': {
    when: '`TestWebhook` was called. Only that webhook gets it, and no log keeps it.',
    data: { message: text('Some words.') },
  },
} as const satisfies Readonly<
  Record<string, { readonly when: string; readonly data: Readonly<Record<string, DataMember>> }>
>;

export type EventType = keyof typeof EVENT_TYPES;

export const EVENT_TYPE_NAMES = Object.keys(EVENT_TYPES) as readonly EventType[];

type ValueOf<Member> = Member extends { readonly type: 'number' }
  ? number
  : Member extends { readonly type: 'text' }
    ? string
    : Readonly<Record<string, number>>;

type OptionalIn<Members> = {
  [Name in keyof Members]: Members[Name] extends { readonly isOptional: true } ? Name : never;
}[keyof Members];

type DataOf<Members> = {
  readonly [Name in Exclude<keyof Members, OptionalIn<Members>>]: ValueOf<Members[Name]>;
} & { readonly [Name in OptionalIn<Members>]?: ValueOf<Members[Name]> | undefined };

export type EventData<Type extends EventType> = DataOf<(typeof EVENT_TYPES)[Type]['data']>;
