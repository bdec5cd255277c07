/** A promise about the server's figures: the value must be at most, or at least, the limit. */
export interface BarCheck {
  readonly promise: string;
  /** Undefined if the run did not measure it. */
  readonly value: number | undefined;
  readonly limit: number;
  /** Whether more is better. */
  readonly isLeast?: boolean;
}
