/** Named here because a secret key is made only while there is no database. */
export const DATABASE_FILE = 'respark.sqlite';
export const LOCK_FILE = 'lock';
export const SECRET_KEY_FILE = 'secret.key';
/** The secret key that a rotation leads to. It is here from before the first secret is sealed with it. */
export const NEXT_SECRET_KEY_FILE = 'secret.key.next';
/** Names the node among those that share a database. */
export const NODE_ID_FILE = 'node-id';
/** The hash of the code of a link to the console, which a command has left for the server. */
export const CONSOLE_CODE_FILE = 'console-code.json';
/** Room that is held back for the time when the disk is full. */
export const RESERVE_FILE = 'reserve';
/** A restored backup whose files are being put in their places. */
export const RESTORE_DIRECTORY = 'restore.ready';
/** One of which only a part was put in its place, and which another is about to replace. */
export const LEFT_RESTORE_DIRECTORY = 'restore.left';
/** Where a backup is unpacked. It means nothing until it is renamed to `RESTORE_DIRECTORY`. */
export const UNPACKING_DIRECTORY = 'restore.partial';

/** A person who can read these can do everything that the server's owner can. */
const SECRET_FILES = [SECRET_KEY_FILE, NEXT_SECRET_KEY_FILE, 'root-credentials'];

const SERVER_FILE =
  /^(?:[\w-]+\.sqlite(?:-wal|-shm|-journal)?|(?:audit|events)\.journal(?:\.new)?|secret\.key(?:\.next)?|root-credentials|node-id|(?:console-code|demo|running)\.json|reserve)$/;

/** Files of the server that are written where they are. The others are replaced whole, whoever has written them before. */
const WRITTEN_IN_PLACE = /^(?:[\w-]+\.sqlite(?:-wal|-shm|-journal)?|(?:audit|events)\.journal|reserve|lock)$/;

export function isWrittenInPlace(name: string): boolean {
  return WRITTEN_IN_PLACE.test(name);
}

/** What a kill has left of a restore, or of a backup before an upgrade, that was not whole. */
const LEFT_PART = /^(?:restore|before-upgrade-[\w-]+\.tar\.gz\.[\w-]+)\.partial$/;

/**
 * Whether this is good for nothing once the directory is locked. It is as large as the databases, and has the secret key, so
 * it must not stay.
 */
export function isLeftPart(name: string): boolean {
  return LEFT_PART.test(name);
}

/** What a kill has left of a file that is written whole or not at all. It may have been about to be a secret. */
const TEMPORARY =
  /^(?:secret\.key(?:\.next)?|root-credentials|node-id|(?:console-code|demo|running)\.json|probe)\.[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/** Whether this is good for nothing when its writer has ended, who may be a command beside the server. */
export function isTemporary(name: string): boolean {
  return TEMPORARY.test(name);
}

/** Whether a server keeps data in a file of this name. */
export function isServerFile(name: string): boolean {
  return SERVER_FILE.test(name);
}

export function isSecretFile(name: string): boolean {
  return SECRET_FILES.includes(name);
}
