import { constants, setPriority } from 'node:os';

/**
 * Has the thread that calls it give way to all others of the machine, for good: only a privileged process could take that
 * back. On Linux a priority is that of a thread (setpriority(2)); elsewhere it would be that of the whole process, so
 * nothing is done.
 */
export function lowerPriority(): void {
  if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
}
