import type { Block } from '../../domain/players/bars/blocks.ts';
import { ServiceError } from '../../errors.ts';
import { connectionIds, gameName, playerId, stageName } from '../operations/shapes.ts';
import { boolean, integer, label, string, structure, timestamp } from '../shape.ts';
import { wordingMembers } from './wording.ts';

const LONGEST_SECONDS = 10 * 366 * 86_400;

const { Evidence: evidence, Message: message, Messages: messages, Reason: reason } = wordingMembers;

/** How long a bar lasts. */
export const durationMembers = { Seconds: integer({ min: 1, max: LONGEST_SECONDS }), Until: timestamp() };

export const stageMembers = { GameName: label(gameName), StageName: label(stageName) };

export const stagePlayerMembers = { ...stageMembers, PlayerId: label(playerId) };

export const gamePlayerMembers = { GameName: label(gameName), PlayerId: label(playerId) };

export const blockMembers = {
  Actor: string({ min: 0, max: 2_048 }),
  Created: timestamp(),
  Enforced: boolean(),
  Evidence: evidence,
  Message: message,
  Messages: messages,
  PlayerId: playerId,
  Reason: reason,
  RequestId: string({ min: 0, max: 64 }),
  StageName: stageName,
  Until: timestamp(),
};

export const endedMembers = { DisconnectFailures: connectionIds, DisconnectSuccesses: connectionIds };

export const block = structure(blockMembers);

const { Evidence: _, ...listedMembers } = blockMembers;

/** What a list says of a block. */
export const listedBlock = structure(listedMembers);

interface DurationInput {
  readonly Seconds?: number | undefined;
  readonly Until?: number | undefined;
}

/** Throws `validation` when both ways to say it are used. */
export function durationOf({ Seconds, Until }: DurationInput) {
  if (Seconds !== undefined && Until !== undefined) {
    throw new ServiceError(
      'validation',
      '"Until" and "Seconds" both say when it ends: give one of them, or none for good',
    );
  }
  return { seconds: Seconds, until: Until };
}

/** What is empty is left out. */
export function toBlock(bar: Block) {
  const { '': own, ...byLocale } = bar.messages;
  return {
    Actor: bar.actor,
    Created: bar.createdAt,
    Enforced: bar.isEnforced,
    Evidence: bar.evidence === '' ? undefined : bar.evidence,
    Message: own,
    Messages: Object.keys(byLocale).length === 0 ? undefined : byLocale,
    PlayerId: bar.playerId,
    Reason: bar.reason || undefined,
    RequestId: bar.requestId,
    StageName: bar.stageName,
    Until: bar.until,
  };
}
