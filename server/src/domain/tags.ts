import type { Tags } from '../store/store.ts';

/** Tags of games and stages, by ARN. Every method throws `validation` for a foreign ARN and `not_found`. */
export interface ResourceTags {
  of(arn: string): Promise<Tags>;
  /** Throws `validation` when the resource would have more than 50. */
  add(arn: string, tags: Tags): Promise<void>;
  remove(arn: string, keys: readonly string[]): Promise<void>;
}
