export const PLAYER_DATA_TEXTS = {
  dataKey: ['Key', 'Schlüssel'],
  dataValue: ['Value', 'Wert'],
  deletePlayerData: ['Delete the player data', 'Spielerdaten löschen'],
  deletePlayerDataOpen: ['Delete the data…', 'Daten löschen …'],
  deletePlayerDataExplained: [
    'Everything that scripts keep about the player in the stage {stage} is deleted, also what is not shown here. It cannot be undone.',
    'Alles, was Skripte auf der Stage {stage} über den Spieler speichern, wird gelöscht, auch was hier nicht gezeigt wird. Das lässt sich nicht rückgängig machen.',
  ],
  deletePlayerDataFirst: [
    'Scripts may write about the player again: block or disconnect the player first. Logs, audit records, blocks and backups stay.',
    'Skripte können wieder etwas über den Spieler speichern: Sperren oder trennen Sie ihn vorher. Logs, Audit-Einträge, Sperren und Backups bleiben.',
  ],
  keysDeleted: ['{n} key deleted.', '{n} Schlüssel gelöscht.'],
  keysDeletedMany: ['{n} keys deleted.', '{n} Schlüssel gelöscht.'],
  noPlayerData: ['Scripts keep nothing about this player.', 'Skripte speichern nichts über diesen Spieler.'],
  playerData: ['Player data', 'Spielerdaten'],
  playerDataDeleted: ['{n} key of {player} deleted.', '{n} Schlüssel von {player} gelöscht.'],
  playerDataDeletedMany: ['{n} keys of {player} deleted.', '{n} Schlüssel von {player} gelöscht.'],
  playerDataExplained: [
    'What scripts keep about the player: {bytes} bytes.',
    'Was Skripte über den Spieler speichern: {bytes} Byte.',
  ],
} as const;
