import { ServiceError } from '../../errors.ts';
import { shown } from '../../text.ts';

/** Kinds of people who get a key. Each has what it may do from the table below, and nothing that was added since. */
export const ROLES = {
  viewer: 'sees everything but the audit log and players’ blocks, addresses and data, and changes nothing',
  moderator: 'sees players’ connections, disconnects and blocks players',
  operator:
    'sees everything, disconnects, blocks and notifies players, deletes their data, closes stages, deploys, changes stages and tags',
  developer:
    'sees everything but the audit log, changes configurations, makes snapshots, generates code, deploys, plays as any player and rehearses ends of connections',
  admin: 'does everything, including what makes and deletes games, stages and access keys',
} as const;

export type Role = keyof typeof ROLES;

/**
 * What an action is about, and so what `--game` and `--stage` make of it: `server` is about all games and is left out
 * for a role in one game; `public` is about none and stays; `game` is limited to the game, `stage` to the stage; `stages`
 * is about all stages of a game and is left out for a role on one of them; `tagged` is about games and stages.
 */
type Reach = 'server' | 'public' | 'game' | 'stages' | 'stage' | 'tagged';

interface Grant {
  readonly reach: Reach;
  /** Beside `admin`, who may do everything. */
  readonly roles: readonly Exclude<Role, 'admin'>[];
}

const grant = (reach: Reach, ...roles: Grant['roles']): Grant => ({ reach, roles });
const seen = (reach: Reach) => grant(reach, 'viewer', 'operator', 'developer');
const seenByAll = (reach: Reach) => grant(reach, 'viewer', 'moderator', 'operator', 'developer');

/** Which roles may do what. A test holds this against the operations, so that a new one must be put here. */
export const GRANTS: Readonly<Record<string, Grant>> = {
  'gamesparks:CreateGame': grant('server'),
  'gamesparks:GetGame': seenByAll('game'),
  'gamesparks:ListGames': seenByAll('server'),
  'gamesparks:UpdateGame': grant('game'),
  'gamesparks:DeleteGame': grant('stages'),
  'gamesparks:GetGameConfiguration': seen('game'),
  'gamesparks:UpdateGameConfiguration': grant('game', 'developer'),
  'gamesparks:ImportGameConfiguration': grant('game', 'developer'),
  'gamesparks:CreateSnapshot': grant('game', 'developer'),
  'gamesparks:GetSnapshot': seen('game'),
  'gamesparks:ListSnapshots': seen('game'),
  'gamesparks:UpdateSnapshot': grant('game', 'developer'),
  // The URLs of downloads work without a signature, so they are not for everybody who may see things.
  'gamesparks:ExportSnapshot': grant('game', 'developer'),
  'gamesparks:StartGeneratedCodeJob': grant('game', 'developer'),
  'gamesparks:GetGeneratedCodeJob': grant('game', 'developer'),
  'gamesparks:ListGeneratedCodeJobs': grant('game', 'developer'),
  'gamesparks:CreateStage': grant('stages'),
  'gamesparks:GetStage': seenByAll('stage'),
  'gamesparks:ListStages': seenByAll('stages'),
  'gamesparks:UpdateStage': grant('stage', 'operator'),
  'gamesparks:DeleteStage': grant('stage'),
  'gamesparks:StartStageDeployment': grant('stage', 'operator', 'developer'),
  'gamesparks:GetStageDeployment': seen('stage'),
  'gamesparks:ListStageDeployments': seen('stage'),
  'gamesparks:ListExtensions': seen('public'),
  'gamesparks:GetExtension': seen('public'),
  'gamesparks:ListExtensionVersions': seen('public'),
  'gamesparks:GetExtensionVersion': seen('public'),
  'gamesparks:TagResource': grant('tagged', 'operator'),
  'gamesparks:UntagResource': grant('tagged', 'operator'),
  'gamesparks:ListTagsForResource': seen('tagged'),
  'gamesparks:GetPlayerConnectionStatus': seenByAll('stage'),
  'gamesparks:DisconnectPlayer': grant('stage', 'moderator', 'operator'),
  'respark:CheckPlayerToken': grant('stage', 'developer'),
  // What staff have written about a player is not for everybody who may see things.
  'respark:BlockPlayer': grant('stage', 'moderator', 'operator'),
  'respark:BlockPlayerInGame': grant('stages', 'moderator', 'operator'),
  'respark:CloseStageToPlayers': grant('stage', 'operator'),
  'respark:CountConnections': seenByAll('stage'),
  'respark:GetBlock': grant('stage', 'moderator', 'operator'),
  'respark:GetBlockInGame': grant('stages', 'moderator', 'operator'),
  'respark:GetStageAccess': seenByAll('stage'),
  'respark:ListBlocks': grant('stage', 'moderator', 'operator'),
  'respark:ListBlocksInGame': grant('stages', 'moderator', 'operator'),
  // Nor are the addresses that players connect from.
  'respark:ListConnections': grant('stage', 'moderator', 'operator'),
  'respark:ListPlayers': seenByAll('stage'),
  'respark:OpenStageToPlayers': grant('stage', 'operator'),
  'respark:RevokePlayerTokens': grant('stage', 'moderator', 'operator'),
  'respark:RevokePlayerTokensInGame': grant('stages', 'moderator', 'operator'),
  'respark:SendNotificationToPlayer': grant('stage', 'operator'),
  'respark:SendNotificationToStage': grant('stage', 'operator'),
  'respark:UnblockPlayer': grant('stage', 'moderator', 'operator'),
  'respark:UnblockPlayerInGame': grant('stages', 'moderator', 'operator'),
  // What a game keeps about a player is personal. A person who deploys scripts can have them read it.
  'respark:GetPlayerData': grant('stage', 'operator', 'developer'),
  'respark:DeletePlayerData': grant('stage', 'operator'),
  // The holder of a player's token can play as the player, as a person who deploys scripts can.
  'respark:CreatePlayerToken': grant('stage', 'developer'),
  // It ends a player's connection, and is not for those who end real ones: they would take it for the real thing.
  'respark:PlayRehearsedEnd': grant('stage', 'developer'),
  'respark:StartDisconnectJob': grant('stage', 'operator'),
  'respark:ConfirmDisconnectJob': grant('stage', 'operator'),
  'respark:PauseDisconnectJob': grant('stage', 'operator'),
  'respark:ResumeDisconnectJob': grant('stage', 'operator'),
  'respark:CancelDisconnectJob': grant('stage', 'operator'),
  'respark:GetDisconnectJob': seenByAll('stage'),
  'respark:ListDisconnectJobs': seenByAll('stage'),
  'respark:DeleteSnapshot': grant('game', 'developer'),
  'respark:DrainNode': grant('server'),
  // A webhook sends what happens in the game to wherever its URL says.
  'respark:CreateWebhook': grant('stages'),
  'respark:UpdateWebhook': grant('stages'),
  'respark:DeleteWebhook': grant('stages'),
  'respark:ReplayWebhook': grant('stages', 'operator'),
  'respark:TestWebhook': grant('stages', 'operator'),
  'respark:GetWebhook': seen('stages'),
  'respark:ListWebhooks': seen('stages'),
  'respark:ListWebhookDeliveries': seen('stages'),
  'respark:ListEvents': seenByAll('stages'),
  'respark:WatchEvents': seenByAll('stages'),
  // A person who makes keys gives rights away, and one who sees them sees who may do what in all games.
  'respark:CreateAccessKey': grant('server'),
  'respark:RevokeAccessKey': grant('server'),
  'respark:GetAccessKey': grant('server'),
  'respark:ListAccessKeys': grant('server'),
  'respark:ExplainAccess': grant('server'),
  // It reaches no key but the caller's own.
  'respark:RevokeOwnAccessKey': seenByAll('public'),
  'respark:GetServerInfo': seenByAll('public'),
  'respark:ListPermissions': seenByAll('public'),
  'respark:GetStageIdentity': seen('stage'),
  // Like records, receipts are of all games.
  'respark:GetReceipt': grant('server', 'operator'),
  'respark:GetReceiptKey': seenByAll('public'),
  // Like metrics, it is of all games together.
  'respark:ListActivity': seen('server'),
  'respark:ListAuditChains': grant('server', 'operator'),
  'respark:ListAuditLinks': grant('server', 'operator'),
  'respark:ListAuditRecords': grant('server', 'operator'),
  'respark:ListNodes': seen('server'),
  'respark:ListStageLogLines': seen('stage'),
  // A person who decides which issuers a stage trusts decides who may be any of its players.
  'respark:UpdateStageIdentity': grant('stage', 'developer'),
};

/** What a role is limited to; without a game, to nothing. */
export interface RoleLimits {
  readonly game?: string | undefined;
  /** Only together with a game. */
  readonly stage?: string | undefined;
}

/** The description of a key of a role, where its maker gives none. */
export function describeRole(role: Role, { game, stage }: RoleLimits): string {
  const limits = [game && `game ${game}`, stage && `stage ${stage}`].filter((limit) => limit !== undefined);
  return [role, ...limits].join(', ');
}

/** The actions of a role, in the order of the table. */
export function actionsOf(role: Role): string[] {
  return Object.keys(GRANTS).filter((action) => role === 'admin' || GRANTS[action]?.roles.some((one) => one === role));
}

/**
 * The policy document of a role. It names each action, so that a key never gains what a later version adds, and its
 * ARNs are those of any region and account, because a server has only one. Throws `validation` for limits that are not
 * the names of a game and a stage.
 */
export function policyOfRole(role: Role, { game, stage }: RoleLimits): object {
  for (const [what, name] of Object.entries({ game, stage })) {
    if (name === undefined || /^[\w-]{1,36}$/.test(name)) continue;
    throw new ServiceError('validation', `the name of a ${what} is 1-36 letters, digits, _ or -, got ${shown(name)}`);
  }
  if (stage !== undefined && game === undefined) {
    throw new ServiceError('validation', `the stage ${shown(stage)} is a stage of which game? Name the game too`);
  }
  const statements = Object.entries(resourcesOf({ game, stage })).flatMap(([reach, resources]) => {
    const actions = actionsOf(role).filter((action) => GRANTS[action]?.reach === reach);
    if (resources === undefined || actions.length === 0) return [];
    return [{ Sid: `${role}${reach}`, Effect: 'Allow', Action: actions, Resource: resources }];
  });
  return { Version: '2012-10-17', Statement: statements };
}

/**
 * The roles whose policies make up a document, in its order; empty for a document that somebody has written, or of which
 * a statement allows more than the role that it is named after does now.
 */
export function rolesOf(policy: string): Role[] {
  const statements = statementsOf(policy);
  const roles = statements.map((statement) => roleOfStatement(statement));
  return roles.some((role) => role === undefined) ? [] : [...new Set(roles.filter((role) => role !== undefined))];
}

function statementsOf(policy: string): readonly unknown[] {
  try {
    const { Statement } = Object(JSON.parse(policy)) as { Statement?: unknown };
    return Array.isArray(Statement) ? Statement : [];
  } catch {
    return [];
  }
}

function roleOfStatement(statement: unknown): Role | undefined {
  const { Sid, Effect, Action } = Object(statement) as Readonly<Record<string, unknown>>;
  const role = (Object.keys(ROLES) as Role[]).find((each) => String(Sid).startsWith(each));
  if (role === undefined || Effect !== 'Allow' || !Array.isArray(Action)) return undefined;
  const actions = actionsOf(role);
  return Action.every((action) => actions.includes(action)) ? role : undefined;
}

/** The resources of each reach; undefined for what is left out. */
function resourcesOf({ game, stage }: RoleLimits): Record<Reach, string | string[] | undefined> {
  if (game === undefined) {
    return { server: '*', public: '*', game: '*', stages: '*', stage: '*', tagged: '*' };
  }
  const ofGame = `arn:aws:gamesparks:*:*:game/${game}`;
  const ofStage = `${ofGame}/stage/${stage ?? '*'}`;
  return {
    server: undefined,
    public: '*',
    game: ofGame,
    stages: stage === undefined ? ofGame : undefined,
    stage: ofStage,
    tagged: stage === undefined ? [ofGame, ofStage] : ofStage,
  };
}
