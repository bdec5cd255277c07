import type { HostAnswer } from '../../sandbox/sandbox.ts';

/** The parameters of one call, as the script gave them: nothing has been checked. */
export type Parameters = readonly unknown[];

/**
 * What scripts may reach outside of the server, as far as the settings allow it. Whatever goes wrong there is an answer
 * with an error, which the script can catch; a rejection is a fault of the server. Every call ends within the time that
 * the settings give it.
 */
export interface Outside {
  /** `Lambda(name).Invoke(event)` */
  invokeLambda(parameters: Parameters): Promise<HostAnswer>;
  getItem(parameters: Parameters): Promise<HostAnswer>;
  putItem(parameters: Parameters): Promise<HostAnswer>;
  updateItem(parameters: Parameters): Promise<HostAnswer>;
  deleteItem(parameters: Parameters): Promise<HostAnswer>;
  query(parameters: Parameters): Promise<HostAnswer>;
  /** `Http().Fetch(url, options)` */
  fetch(parameters: Parameters): Promise<HostAnswer>;
}
