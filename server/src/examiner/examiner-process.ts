import { type Examination, examineInThisThread, type Findings } from '../domain/examination.ts';

/** What a process says at the end of an examination. */
export type Answer = { readonly findings: Findings } | { readonly bug: unknown };

// A terminal and a service manager send these to all processes of the server, which ends its own when it stops. For the last of
// them Node.js would open its debugger.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', ...(process.platform === 'win32' ? [] : ['SIGUSR1'])]) {
  process.on(signal, () => {});
}

// What a process of `examiner.ts` runs. It stays until it is ended, or the server is gone.
process.on('message', (examination: Examination) => {
  // Should the server be gone, nobody is to hear of it.
  process.send?.(answerTo(examination), undefined, undefined, () => {});
});

function answerTo(examination: Examination): Answer {
  try {
    return { findings: examineInThisThread(examination) };
  } catch (bug) {
    return { bug };
  }
}
