/** What a client may want to know about the server before it relies on a feature. */
export interface ServerInfo {
  /** The version of Respark. */
  readonly version: string;
  /** The version of the Amazon GameSparks API. */
  readonly apiVersion: string;
  /** The incarnation of the node that answers. */
  readonly node: string;
  /** What this server does beyond that API. */
  readonly features: readonly string[];
}
