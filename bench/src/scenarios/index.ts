import { connectScenario } from './connect.ts';
import { disconnectScenario } from './disconnect.ts';
import { growthScenario } from './growth.ts';
import { idleScenario } from './idle.ts';
import { roundTripScenario } from './round-trip.ts';
import type { Scenario } from './scenario.ts';
import { startUpScenario } from './start-up.ts';

/** All scenarios, in the order in which they run. */
export const SCENARIOS = {
  disconnect: disconnectScenario,
  idle: idleScenario,
  connect: connectScenario,
  growth: growthScenario,
  'round-trip': roundTripScenario,
  'start-up': startUpScenario,
} as const satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof SCENARIOS;
export const SCENARIO_NAMES = Object.keys(SCENARIOS) as ScenarioName[];
