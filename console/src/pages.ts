import type { FunctionComponent } from 'preact';
import type { OperationName } from './api/operations.ts';
import { Audit } from './pages/audit.tsx';
import { Blocks } from './pages/blocks.tsx';
import { Home } from './pages/home.tsx';
import { Logs } from './pages/logs.tsx';
import { PlayerPage } from './pages/player.tsx';
import { Players } from './pages/players.tsx';
import { later } from './parts/later.tsx';
import type { TextKey } from './texts/language.ts';

interface PageRow {
  readonly id: string;
  /** Its name in the navigation; a page without one is reached from others. */
  readonly title?: TextKey;
  /** The page of the navigation that it belongs to, if it has no name there. */
  readonly partOf?: string;
  readonly group: 'live' | 'operate' | 'game' | 'records';
  /** The operations that the page needs. It is not shown to a key that may not call them. */
  readonly needs: readonly OperationName[];
  /** Whether it is about a stage, which must be chosen first. */
  readonly isOfStage: boolean;
  /** The part of the address that names the one thing that it is about, where that is not the stage itself. */
  readonly subject?: 'player' | 'job' | 'key';
  readonly Show: FunctionComponent;
}

/** Every page of the console, in the order of the navigation. A new one is a row here. */
export const PAGES: readonly PageRow[] = [
  { id: 'home', title: 'home', group: 'live', needs: [], isOfStage: false, Show: Home },
  { id: 'players', title: 'players', group: 'live', needs: ['ListPlayers'], isOfStage: true, Show: Players },
  {
    id: 'player',
    partOf: 'players',
    group: 'live',
    needs: [],
    isOfStage: true,
    subject: 'player',
    Show: PlayerPage,
  },
  { id: 'blocks', title: 'blocks', group: 'operate', needs: ['ListBlocks'], isOfStage: true, Show: Blocks },
  {
    id: 'notifications',
    title: 'notifications',
    group: 'operate',
    needs: ['SendNotificationToStage'],
    isOfStage: true,
    Show: later(async () => (await import('./pages/notifications.tsx')).Notifications),
  },
  {
    id: 'maintenance',
    title: 'maintenance',
    group: 'operate',
    needs: ['GetStageAccess'],
    isOfStage: true,
    Show: later(async () => (await import('./pages/maintenance.tsx')).Maintenance),
  },
  {
    id: 'jobs',
    title: 'jobs',
    group: 'operate',
    needs: ['ListDisconnectJobs'],
    isOfStage: true,
    Show: later(async () => (await import('./pages/jobs.tsx')).Jobs),
  },
  {
    id: 'job',
    partOf: 'jobs',
    group: 'operate',
    needs: ['GetDisconnectJob'],
    isOfStage: true,
    subject: 'job',
    Show: later(async () => (await import('./pages/job.tsx')).JobPage),
  },
  {
    id: 'webhooks',
    title: 'webhooks',
    group: 'operate',
    needs: ['ListWebhooks'],
    isOfStage: true,
    Show: later(async () => (await import('./pages/webhooks.tsx')).Webhooks),
  },
  {
    id: 'keys',
    title: 'accessKeys',
    group: 'operate',
    needs: ['ListAccessKeys'],
    isOfStage: false,
    Show: later(async () => (await import('./pages/keys.tsx')).Keys),
  },
  {
    id: 'key',
    partOf: 'keys',
    group: 'operate',
    needs: ['GetAccessKey'],
    isOfStage: false,
    subject: 'key',
    Show: later(async () => (await import('./pages/key.tsx')).KeyPage),
  },
  {
    id: 'policy',
    partOf: 'keys',
    group: 'operate',
    needs: ['ExplainAccess'],
    isOfStage: false,
    Show: later(async () => (await import('./pages/policy.tsx')).PolicyPage),
  },
  {
    id: 'configuration',
    title: 'configuration',
    group: 'game',
    needs: ['GetGameConfiguration'],
    isOfStage: true,
    Show: later(async () => (await import('./pages/configuration.tsx')).Configuration),
  },
  {
    id: 'changes',
    partOf: 'configuration',
    group: 'game',
    needs: ['GetGameConfiguration', 'ListSnapshots', 'GetSnapshot'],
    isOfStage: true,
    Show: later(async () => (await import('./pages/changes.tsx')).Changes),
  },
  {
    id: 'deployments',
    title: 'deployments',
    group: 'game',
    needs: ['ListStageDeployments'],
    isOfStage: true,
    Show: later(async () => (await import('./pages/deployments.tsx')).Deployments),
  },
  {
    id: 'harness',
    title: 'harness',
    group: 'game',
    needs: ['GetSnapshot', 'GetStage'],
    isOfStage: true,
    Show: later(async () => (await import('./pages/harness.tsx')).Harness),
  },
  { id: 'logs', title: 'logs', group: 'records', needs: ['ListStageLogLines'], isOfStage: true, Show: Logs },
  { id: 'audit', title: 'audit', group: 'records', needs: ['ListAuditRecords'], isOfStage: false, Show: Audit },
];

export function pageOf(id: string): PageRow {
  return PAGES.find((page) => page.id === id) ?? (PAGES[0] as PageRow);
}
