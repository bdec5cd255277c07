import type { ConfigurationFault } from './configuration/fault.ts';
import { findFaults } from './configuration/faults.ts';
import { readModel } from './configuration/model.ts';
import { readSections } from './configuration/stored-sections.ts';
import { generateCode } from './generated-code/generate-code.ts';
import { chooseGenerator } from './generated-code/generators.ts';

/** Everything but the snapshot that generated code depends on. */
export type GeneratorInput = Readonly<Record<'gameName' | 'targetPlatform' | 'language' | 'gameSdkVersion', string>>;

export interface Examination {
  /** Stored sections. */
  readonly sections: string;
  /** The code to generate from the sections, unless they have faults. */
  readonly code?: GeneratorInput;
}

export interface Findings {
  readonly faults: readonly ConfigurationFault[];
  /** A zip of the code that was asked for. */
  readonly archive: Uint8Array | undefined;
}

/** Looks for faults and generates code. Rejects with `Interrupted`; any other rejection is a fault of the server. */
export type Examine = (examination: Examination) => Promise<Findings>;

/** The examination itself. It blocks its thread for a tenth of a second at least, and for seconds on a megabyte of faults. */
export function examineInThisThread({ sections: text, code }: Examination): Findings {
  const sections = readSections(text);
  const faults = findFaults(sections);
  if (code === undefined || faults.length > 0) return { faults, archive: undefined };
  const { gameName, ...generator } = code;
  return {
    faults,
    archive: generateCode({ gameName, model: readModel(sections), generator: chooseGenerator(generator) }),
  };
}
