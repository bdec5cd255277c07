import { MAX_SENTENCE_CHARACTERS, shown } from '../../text.ts';

// This file is apart from `faults.ts`, which needs a validator and a parser: a server loads those only in its examining
// threads.

export interface ConfigurationFault {
  readonly section: string;
  /** A JSON Pointer into the section's attributes; empty for the whole section. */
  readonly pointer: string;
  readonly message: string;
}

/** A fault on one line. */
export function describeFault({ section, pointer, message }: ConfigurationFault): string {
  const place = pointer === '' ? section : `${section} at ${shown(pointer, MAX_SENTENCE_CHARACTERS)}`;
  return section === '' ? message : `${place} ${message}`;
}
