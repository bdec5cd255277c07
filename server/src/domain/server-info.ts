/** What a client may want to know about the server before it relies on a feature. */
export interface ServerInfo {
  /** The version of Respark. */
  readonly version: string;
  /** The version of the Amazon GameSparks API. */
  readonly apiVersion: string;
  /** The incarnation of the node that answers. */
  readonly node: string;
  /** What this server does beyond that API. */
  readonly features: readonly string[];
  /** Where players connect; undefined where that is not said, because it is where the API is or only a proxy knows. */
  readonly playerUrl: string | undefined;
}

/**
 * Feature → the operations that are there with it, and what it is where those do not say it. A published name never
 * changes its meaning, so an operation that comes later, or what one can do besides later, gets a name of its own.
 */
export const FEATURES = {
  'access-explanations': { operations: ['ExplainAccess'] },
  'access-key-expiry': { operations: ['RevokeOwnAccessKey'], means: 'and `LifetimeSeconds` of CreateAccessKey' },
  'access-keys': { operations: ['CreateAccessKey', 'GetAccessKey', 'ListAccessKeys', 'RevokeAccessKey'] },
  activity: { operations: ['ListActivity'] },
  'audit-chains': { operations: ['ListAuditChains', 'ListAuditLinks'] },
  'audit-records': { operations: ['ListAuditRecords'] },
  'browser-players': { operations: [], means: 'pages of some origins may connect players' },
  'connection-filters': {
    operations: ['CountConnections', 'ListConnections', 'ListPlayers'],
    means: 'with filters',
  },
  'disconnect-jobs': {
    operations: [
      ...['CancelDisconnectJob', 'ConfirmDisconnectJob', 'GetDisconnectJob', 'ListDisconnectJobs'],
      ...['PauseDisconnectJob', 'ResumeDisconnectJob', 'StartDisconnectJob'],
    ],
  },
  'disconnect-orders': { operations: [], means: 'DisconnectPlayer takes a JSON body' },
  events: { operations: ['ListEvents', 'WatchEvents'] },
  'identity-providers': { operations: ['CheckPlayerToken', 'GetStageIdentity', 'UpdateStageIdentity'] },
  maintenance: { operations: ['CloseStageToPlayers', 'GetStageAccess', 'OpenStageToPlayers'] },
  'metrics-listener': { operations: [], means: 'metrics have a port of their own' },
  nodes: { operations: ['DrainNode', 'ListNodes'] },
  notifications: {
    operations: ['SendNotificationToPlayer', 'SendNotificationToStage'],
    means: 'the latter with a `Selector` too',
  },
  permissions: { operations: ['ListPermissions'] },
  'permitted-games': { operations: [], means: '`Games` of ListPermissions' },
  'player-blocks': {
    operations: [
      ...['BlockPlayer', 'BlockPlayerInGame', 'GetBlock', 'GetBlockInGame', 'ListBlocks', 'ListBlocksInGame'],
      ...['UnblockPlayer', 'UnblockPlayerInGame'],
    ],
  },
  'player-data': { operations: ['DeletePlayerData', 'GetPlayerData'] },
  'player-listener': { operations: [], means: 'players have a port of their own' },
  'player-tokens': { operations: ['CreatePlayerToken'] },
  receipts: { operations: ['GetReceipt', 'GetReceiptKey'], means: 'and `Receipt` of DisconnectPlayer' },
  rehearsals: { operations: ['PlayRehearsedEnd'] },
  'snapshot-deletion': { operations: ['DeleteSnapshot'] },
  'stage-logs': { operations: ['ListStageLogLines'] },
  'token-revocations': { operations: ['RevokePlayerTokens', 'RevokePlayerTokensInGame'] },
  'webhook-deliveries': { operations: ['ListWebhookDeliveries'] },
  webhooks: {
    operations: [
      ...['CreateWebhook', 'DeleteWebhook', 'GetWebhook', 'ListWebhooks', 'ReplayWebhook', 'TestWebhook'],
      'UpdateWebhook',
    ],
  },
} as const satisfies Readonly<Record<string, { readonly operations: readonly string[]; readonly means?: string }>>;

export type Feature = keyof typeof FEATURES;
