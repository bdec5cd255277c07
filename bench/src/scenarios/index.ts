import { clusterDisconnectScenario } from './cluster-disconnect.ts';
import { connectScenario } from './connect.ts';
import { deploymentScenario } from './deployment.ts';
import { disconnectScenario } from './disconnect.ts';
import { growthScenario } from './growth.ts';
import { guestScenario } from './guest.ts';
import { handlersScenario } from './handlers.ts';
import { idleScenario } from './idle.ts';
import { notificationsScenario } from './notifications.ts';
import { roundTripScenario } from './round-trip.ts';
import type { Scenario } from './scenario.ts';
import { startUpScenario } from './start-up.ts';
import { stuckNeighbourScenario } from './stuck-neighbour.ts';

/** All scenarios, in the order in which they run. */
export const SCENARIOS = {
  disconnect: disconnectScenario,
  'cluster-disconnect': clusterDisconnectScenario,
  idle: idleScenario,
  connect: connectScenario,
  growth: growthScenario,
  'round-trip': roundTripScenario,
  'start-up': startUpScenario,
  handlers: handlersScenario,
  notifications: notificationsScenario,
  guest: guestScenario,
  deployment: deploymentScenario,
  'stuck-neighbour': stuckNeighbourScenario,
} as const satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof SCENARIOS;
export const SCENARIO_NAMES = Object.keys(SCENARIOS) as ScenarioName[];
