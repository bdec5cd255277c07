/** What was done, said on the page once the dialog that has done it is closed. */
export const DONE_TEXTS = {
  blockedLater: ['{player} is blocked.', '{player} ist gesperrt.'],
  deploymentBegun: [
    'The deployment of {snapshot} to {stage} has begun.',
    'Das Ausrollen von {snapshot} auf {stage} hat begonnen.',
  ],
  jobCancelledNow: ['The job was stopped.', 'Der Job wurde abgebrochen.'],
  jobConfirmedNow: ['The job was confirmed, and begins.', 'Der Job wurde bestätigt und beginnt.'],
  jobPausedNow: ['The job was paused.', 'Der Job wurde angehalten.'],
  jobResumedNow: ['The job goes on.', 'Der Job geht weiter.'],
  kickedLater: ['{player} was disconnected.', '{player} wurde getrennt.'],
  keyRevokedNow: ['The key {key} was revoked.', 'Der Key {key} wurde widerrufen.'],
  nodeDrainsNow: ['The node {node} drains.', 'Der Knoten {node} leert sich.'],
  replayed: [
    'Everything since {since} is sent to {url} again.',
    'Alles seit {since} wird noch einmal an {url} gesendet.',
  ],
  revokedLater: ['The tokens of {player} were revoked.', 'Die Tokens von {player} wurden widerrufen.'],
  snapshotMade: ['The snapshot {snapshot} was made.', 'Der Snapshot {snapshot} wurde angelegt.'],
  stageClosedNow: ['The stage {stage} is closed to players.', 'Die Stage {stage} ist für Spieler geschlossen.'],
  stageOpenedNow: ['The stage {stage} is open to players.', 'Die Stage {stage} ist für Spieler offen.'],
  switchedOff: ['The webhook {url} is switched off.', 'Der Webhook {url} ist abgeschaltet.'],
  switchedOn: ['The webhook {url} is switched on.', 'Der Webhook {url} ist eingeschaltet.'],
  unblocked: ['The block of {player} {place} was lifted.', 'Die Sperre von {player} {place} wurde aufgehoben.'],
  webhookDeleted: ['The webhook {url} was deleted.', 'Der Webhook {url} wurde gelöscht.'],
} as const;
