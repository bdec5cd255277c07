import { type ConfigurationFault, describeFault } from './fault.ts';
import { type FolderFiles, HANDLER_FORM, MESSAGE_KEYS, type MessageKey, MODEL_FILE, scriptFile } from './folder.ts';
import { positionIn, type TextPosition } from './json-position.ts';
import { keysOf } from './pointer.ts';
import { findScriptFault } from './scripts.ts';
import { SECTIONS } from './sections.ts';

/**
 * A fault as an editor and a person want it: `messages/Greet.json:3:5: …`. `pathOf` makes another path of one in the
 * folder.
 */
export function describeInFolder(
  files: FolderFiles,
  fault: ConfigurationFault,
  pathOf: (path: string) => string = (path) => path,
): string {
  const found = placeOf(files, fault);
  if (found === undefined) return describeFault(fault);
  const { path, position, message } = found;
  return `${pathOf(path)}:${position.line}:${position.column}: ${message}`;
}

function placeOf(
  files: FolderFiles,
  { section, pointer, message }: ConfigurationFault,
): { path: string; position: TextPosition; message: string } | undefined {
  const keys = keysOf(pointer) ?? [];
  const key = MESSAGE_KEYS.find(({ section: own }) => own === section)?.key;
  const [name = '', ...inEntry] = keys;
  if (key !== undefined && inEntry.join('/') === 'Code/Script') {
    const path = scriptFile(name, key);
    const script = files.get(path);
    const fault = script === undefined ? undefined : findScriptFault(script);
    if (fault !== undefined) return { path, position: fault, message: fault.message };
  }
  const path =
    section === SECTIONS.model
      ? MODEL_FILE
      : key !== undefined && files.has(`messages/${name}.json`)
        ? `messages/${name}.json`
        : `sections/${section}.json`;
  const text = files.get(path);
  if (text === undefined) return undefined;
  const isMessage = key !== undefined && path.startsWith('messages/');
  return {
    path,
    position: positionIn(text, isMessage ? [key, ...inEntry] : keys),
    // What other messages call a section is a file here.
    message: (isMessage ? hintOf({ name, key, inEntry, message, files }) : message).replaceAll(
      SECTIONS.model,
      MODEL_FILE,
    ),
  };
}

/** The message, or what to do about a handler that lacks what only the folder keeps apart. */
function hintOf({
  name,
  key,
  inEntry,
  message,
  files,
}: {
  name: string;
  key: MessageKey;
  inEntry: readonly string[];
  message: string;
  files: FolderFiles;
}): string {
  if (!key.endsWith('Handler')) return message;
  const file = scriptFile(name, key);
  const isWithoutScript = !files.has(file);
  const place = inEntry.join('/');
  if (isWithoutScript && (place === 'Code/Script' || (place === 'Code' && message === 'lacks "Script"'))) {
    return `has no script: write ${file}`;
  }
  if (place === '' && message.startsWith('lacks ')) return `${message}: a handler has the form ${HANDLER_FORM}`;
  return message;
}
