// One attacker, in a process of its own so that it does not hold up the operator: attacker.js KIND, with the target as
// JSON on stdin, of which the kinds of TLS need only the door. It attacks until it is killed.
import { text } from 'node:stream/consumers';
import { ATTACKS } from './attacks.ts';
import type { Target } from './target.ts';
import { TLS_ATTACKS } from './tls-attacks.ts';

const attack = { ...ATTACKS, ...TLS_ATTACKS }[process.argv[2] ?? ''];
if (attack === undefined) throw new Error(`there is no attack "${process.argv[2]}"`);
const target: Target = JSON.parse(await text(process.stdin));
process.stdout.write('attacking\n');
await attack(target);
