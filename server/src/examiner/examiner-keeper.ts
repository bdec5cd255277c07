import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Examination } from '../domain/examination.ts';
import type { Answer } from './examiner-process.ts';
import { heedNoSignals } from './signals.ts';

/** What the server asks of the keeper, each with the number of an examination. */
export type ToKeeper =
  | { readonly kind: 'examine'; readonly id: number; readonly examination: Examination }
  | { readonly kind: 'give_up'; readonly id: number };

/** What the keeper says of an examination, once. */
export type FromKeeper = { readonly id: number } & (
  | { readonly answer: Answer }
  /** How the process has ended, and the signal if there was one. */
  | { readonly ended: string; readonly signal: NodeJS.Signals | null }
);

const PROGRAM = fileURLToPath(new URL('./examiner-process.js', import.meta.url));

const [memoryMegabytes = '', program = PROGRAM] = process.argv.slice(2);
const examining = new Map<number, ChildProcess>();

heedNoSignals();
process.on('message', (message: ToKeeper) => {
  if (message.kind === 'examine') examine(message);
  else examining.get(message.id)?.kill('SIGKILL');
});
// The server is gone, or wants no more. What is examined may be such that its process would not notice.
process.once('disconnect', () => {
  for (const child of examining.values()) child.kill('SIGKILL');
  process.exit();
});

function examine({ id, examination }: Extract<ToKeeper, { kind: 'examine' }>): void {
  const child = fork(program, {
    execArgv: [`--max-old-space-size=${memoryMegabytes}`],
    serialization: 'advanced',
    // V8 says there why it gives up.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  examining.set(id, child);
  const say = (what: FromKeeper) => {
    if (!examining.delete(id)) return;
    child.kill('SIGKILL');
    process.send?.(what, undefined, undefined, () => {});
  };
  child.once('message', (answer: Answer) => say({ id, answer }));
  child.on('error', (error) => say({ id, ended: error.message, signal: null }));
  child.once('exit', (code, signal) => say({ id, ended: signal ?? `code ${code}`, signal }));
  // Should it be gone, that is heard of otherwise.
  child.send(examination, () => {});
}
