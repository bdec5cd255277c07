/** What a client may want to know of the server before it relies on something. */
export interface ServerInfo {
  /** Of Respark. */
  readonly version: string;
  /** Of the Amazon GameSparks API. */
  readonly apiVersion: string;
  /** The incarnation of the node that answers. */
  readonly node: string;
  /** What this server does beyond that API. */
  readonly features: readonly string[];
}
