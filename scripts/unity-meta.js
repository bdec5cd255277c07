// Writes the .meta files of the Unity package: Unity ignores a file of a package that has none. With --check it writes
// nothing and fails if one is missing, stale or left over. The ids come from the paths, so they are the same each time.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const PACKAGE = fileURLToPath(new URL('../client-unity/', import.meta.url));

// Assets and scenes of games that were made with GameSparks' own package refer to these two ids.
const IDS_OF_GAMESPARKS = {
  'Runtime/Unity/ConnectionScriptableObject.cs': '513ef5af1ad74c7ba268d637389f52a3',
  'Runtime/Unity/GameSparksClient.prefab': 'f322dd3d924b24a74a20de1daf87367f',
};

const SIMPLE = (importer) => `${importer}:
  externalObjects: {}
  userData: 
  assetBundleName: 
  assetBundleVariant: 
`;

const IMPORTERS = {
  '': `folderAsset: yes\n${SIMPLE('DefaultImporter')}`,
  '.cs': `MonoImporter:
  externalObjects: {}
  serializedVersion: 2
  defaultReferences: []
  executionOrder: 0
  icon: {instanceID: 0}
  userData: 
  assetBundleName: 
  assetBundleVariant: 
`,
  '.jslib': `PluginImporter:
  externalObjects: {}
  serializedVersion: 2
  iconMap: {}
  executionOrder: {}
  defineConstraints: []
  isPreloaded: 0
  isOverridable: 0
  isExplicitlyReferenced: 0
  validateReferences: 1
  platformData:
  - first:
      Any: 
    second:
      enabled: 0
      settings: {}
  - first:
      Editor: Editor
    second:
      enabled: 0
      settings:
        DefaultValueInitialized: true
  - first:
      WebGL: WebGL
    second:
      enabled: 1
      settings: {}
  userData: 
  assetBundleName: 
  assetBundleVariant: 
`,
  '.asmdef': SIMPLE('AssemblyDefinitionImporter'),
  '.md': SIMPLE('TextScriptImporter'),
  '.xml': SIMPLE('TextScriptImporter'),
  '.json': SIMPLE('PackageManifestImporter'),
  '.prefab': SIMPLE('PrefabImporter'),
  '.unity': SIMPLE('DefaultImporter'),
};

const { values: options } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const expected = new Map(assetsIn('').map((path) => [`${path}.meta`, metaOf(path)]));
const wrong = [...expected].filter(([meta, text]) => !existsSync(join(PACKAGE, meta)) || read(meta) !== text);
const leftOver = readdirSync(PACKAGE, { recursive: true })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.meta') && !expected.has(file));

if (options.check) {
  for (const meta of [...wrong.map(([path]) => path), ...leftOver]) {
    console.error(`client-unity/${meta} is missing, stale or left over: run node scripts/unity-meta.js`);
    process.exitCode = 1;
  }
} else {
  for (const [meta, text] of wrong) writeFileSync(join(PACKAGE, meta), text);
  for (const meta of leftOver) rmSync(join(PACKAGE, meta));
}

function read(meta) {
  return readFileSync(join(PACKAGE, meta), 'utf8');
}

/** Files and folders, without the folders that end with a tilde themselves: Unity copies samples from there. */
function assetsIn(folder) {
  return readdirSync(join(PACKAGE, folder), { withFileTypes: true })
    .filter(({ name }) => !name.endsWith('.meta') && !name.startsWith('.'))
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (!entry.isDirectory()) return [path];
      return entry.name.endsWith('~') ? assetsIn(path) : [path, ...assetsIn(path)];
    });
}

function metaOf(path) {
  const importer = IMPORTERS[extname(path)];
  if (importer === undefined) throw new Error(`which importer has Unity for client-unity/${path}?`);
  const id = IDS_OF_GAMESPARKS[path] ?? createHash('md5').update(`com.respark.gamesparks/${path}`).digest('hex');
  return `fileFormatVersion: 2\nguid: ${id}\n${importer}`;
}
