import { type Examination, examineInThisThread, type Findings } from '../domain/examination.ts';
import { heedNoSignals } from './signals.ts';

/** What a process says at the end of an examination. */
export type Answer = { readonly findings: Findings } | { readonly bug: unknown };

heedNoSignals();
// What a process of `examiner-keeper.ts` runs. It stays until it is ended.
process.once('message', (examination: Examination) => {
  // Where the keeper is gone, this fails, and there is nothing left to do.
  process.send?.(answerTo(examination), undefined, undefined, () => {});
});

function answerTo(examination: Examination): Answer {
  try {
    return { findings: examineInThisThread(examination) };
  } catch (bug) {
    return { bug };
  }
}
