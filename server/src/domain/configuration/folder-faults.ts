import { type ConfigurationFault, describeFault } from './fault.ts';
import { type FolderFiles, MESSAGE_KEYS, MODEL_FILE, scriptFile } from './folder.ts';
import { positionIn, type TextPosition } from './json-position.ts';
import { keysOf } from './pointer.ts';
import { findScriptFault } from './scripts.ts';
import { SECTIONS } from './sections.ts';

/** A fault as an editor and a person want it: `messages/Greet.json:3:5: …`. */
export function describeInFolder(files: FolderFiles, fault: ConfigurationFault): string {
  const found = placeOf(files, fault);
  if (found === undefined) return describeFault(fault);
  const { path, position, message } = found;
  return `${path}:${position.line}:${position.column}: ${message}`;
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
  return {
    path,
    position: positionIn(text, path.startsWith('messages/') ? [key as string, ...inEntry] : keys),
    message,
  };
}
