/** What is said of operations whose work takes turns in a share of a node's time (`domain/list-turns.ts`). */
export function sharedTime(work: string, sharers = 'Games'): string {
  return `A node spends a tenth of its time on ${work}, and 250 ms at once after a pause. ${sharers} take turns for it. A call that finds 32 others waiting may be a \`ThrottlingException\`: try again in a second.`;
}
