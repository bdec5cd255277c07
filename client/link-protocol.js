// npm bundles what lies in a package's own node_modules. In this workspace the protocol lies in that of the root, so it is
// linked into the client's before `npm pack`, where the link means the same to Node.js as the root's does.
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const scope = fileURLToPath(new URL('node_modules/@respark/', import.meta.url));
mkdirSync(scope, { recursive: true });
rmSync(`${scope}protocol`, { recursive: true, force: true });
symlinkSync(fileURLToPath(new URL('../protocol', import.meta.url)), `${scope}protocol`, 'junction');
