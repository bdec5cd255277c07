import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sampleModel } from '../../../test/support/generated-code.ts';
import type { Sections } from '../configuration/document.ts';
import { readModel } from '../configuration/model.ts';
import { csharpFiles } from './csharp.ts';
import { type GameMessages, gameMessages, identityMessages, type SourceFile } from './game-messages.ts';

const [identity, identityAsync] = filesOf(identityMessages());
const [{ text: sample }, sampleAsync] = filesOf(gameMessages('Sample', sampleModel));

/** The file in the form of Amazon's generator, and the one for `await`. */
function filesOf(messages: GameMessages): readonly [SourceFile, SourceFile | undefined] {
  const [file, awaitable] = csharpFiles(messages);
  assert.ok(file !== undefined);
  return [file, awaitable];
}

/** The lines as they stand in the file, but without its indentation. */
function assertLines(text: string, expected: string): void {
  const flat = (code: string) => code.replace(/^ +/gm, '').trim();
  assert(flat(text).includes(flat(expected)), `not in it:\n${expected}\n\n${text}`);
}

/** The C# for one structure, which a notification uses. */
function structure(name: string, fields: Readonly<Record<string, { Shape: string; Cardinality: string }>>): string {
  const sections: Sections = {
    'GameSparks.Core.Model': { [name]: { Structure: { Fields: fields } } },
    'GameSparks.Core.Notifications': { News: { NotificationShape: name } },
  };
  return filesOf(gameMessages('Sample', readModel(sections)))[0].text;
}

describe('generated C#', () => {
  it('is a static class in a file of its name', () => {
    assert.equal(identity.name, 'IdentityOperations.cs');
    assertLines(
      identity.text,
      `using System;
      using Amazon.GameSparks.Unity.DotNet;
      using Amazon.GameSparks.Unity.EngineIntegration;
      using Newtonsoft.Json;

      namespace Amazon.GameSparks.Unity.Generated
      {
      public static class IdentityOperations
      {
      public sealed class GetPlayerTokenRequest`,
    );
  });

  it('makes each request an extension method of a connection, after its payload classes', () => {
    const members = [...identity.text.matchAll(/^ {8}public (?:sealed class|static void) (\w+)/gm)].map(
      ([, name]) => name,
    );
    assert.deepEqual(members, ['GetPlayerTokenRequest', 'GetPlayerTokenResponse', 'EnqueueGetPlayerTokenRequest']);
    assertLines(
      identity.text,
      'public static void EnqueueGetPlayerTokenRequest(this Connection connection, GetPlayerTokenRequest payload, ' +
        'Action<Message<GetPlayerTokenResponse>> handleResponse, Action<Message<DefaultError>> handleError, ' +
        'Action handleTimeout, TimeSpan timeout)\n{\n' +
        'connection.SendRequest(new Message<GetPlayerTokenRequest>("GameSparks.Identity.GetPlayerToken", payload), ' +
        'timeout, handleResponse, handleError, handleTimeout);\n}',
    );
  });

  it('makes payloads immutable, with a constructor of all fields and a text of all values', () => {
    assertLines(
      structure('News', {
        b: { Shape: 'Integer', Cardinality: 'Required' },
        a: { Shape: 'String', Cardinality: 'Required' },
      }),
      `public sealed class News
      {
      [JsonProperty]
      public string a { get; }

      [JsonProperty]
      public int b { get; }

      public News(string a, int b)
      {
      this.a = a;
      this.b = b;
      }

      public override string ToString()
      {
      return string.Concat(
      $"{nameof(a)}: { a }", Environment.NewLine,
      $"{nameof(b)}: { b }"
      );
      }
      }`,
    );
    assertLines(identity.text, 'public GetPlayerTokenRequest()\n{\n}');
    assertLines(identity.text, 'return string.Concat("");');
  });

  it('gives optional fields a default and leaves them out of the JSON', () => {
    assertLines(sample, 'public FindMatchRequest(Mode Mode, int? Level = null)');
    assertLines(sample, '[JsonProperty(NullValueHandling = NullValueHandling.Ignore)]\npublic int? Level { get; }');
    assertLines(sample, 'public Opponent(string Name, DateTimeOffset Since, Decimal? Rating = null)');
  });

  it('has a type for each shape', () => {
    assertLines(
      sample,
      'public FindMatchResponse(IReadOnlyList<Opponent> Opponents, IReadOnlyDictionary<string, long> Scores, ' +
        'Newtonsoft.Json.Linq.JToken Extra = null)',
    );
    assertLines(sample, 'using System.Collections.Generic;');
    assertLines(sample, 'public MovedEvent(string @class, int x, bool? isFinal = null)');
  });

  it('sends enum values by their names in the model', () => {
    assertLines(
      sample,
      `[JsonConverter(typeof(Newtonsoft.Json.Converters.StringEnumConverter))]
      public enum Mode
      {
      duel,
      [System.Runtime.Serialization.EnumMember(Value = "free-for-all")]
      _free_for_all,
      [System.Runtime.Serialization.EnumMember(Value = "2v2")]
      _2v2,
      @class,
      }`,
    );
  });

  it('sends events and subscribes to notifications', () => {
    assertLines(
      sample,
      `public static void EnqueueMovedEvent(this Connection connection, MovedEvent payload)
      {
      connection.SendEvent(new Message<MovedEvent>("Custom.Game.Moved", payload));`,
    );
    assertLines(
      sample,
      `public static IDisposable SubscribeToChatNotification(this Connection connection, Action<Message<_Message>> handleNotification)
      {
      return connection.SubscribeToNotification<_Message>("Custom.Game.Chat", handleNotification);`,
    );
  });

  it('has the requests once more in a file of its own, for await', () => {
    assert.equal(identityAsync?.name, 'IdentityOperationsAsync.cs');
    assert.equal(sampleAsync?.name, 'SampleOperationsAsync.cs');
    assertLines(
      sampleAsync?.text ?? '',
      `public static class SampleOperationsAsync
      {
      /// <summary>Looks for opponents.</summary>
      public static Task<SampleOperations.FindMatchResponse> SendFindMatchRequestAsync(this Connection connection, SampleOperations.FindMatchRequest payload, TimeSpan timeout)
      {
      return connection.SendRequestAsync<SampleOperations.FindMatchRequest, SampleOperations.FindMatchResponse>(new Message<SampleOperations.FindMatchRequest>("Custom.Game.FindMatch", payload), timeout);
      }
      }`,
    );
    assert.doesNotMatch(sample, /Async|Task/);
    assert.equal(filesOf(gameMessages('Empty', readModel({})))[1], undefined);
  });

  it('leaves out what only the backend may send', () => {
    assert.doesNotMatch(sample, /Settle|secret/);
  });

  it('renames what C# does not allow, and keeps the name in the JSON and in the constructor', () => {
    const score = structure('Score', {
      Score: { Shape: 'Long', Cardinality: 'Required' },
      ToString: { Shape: 'String', Cardinality: 'Optional' },
    });
    assertLines(score, '[JsonProperty("Score")]\npublic long _Score { get; }');
    assertLines(score, 'public Score(long Score, string ToString = null)\n{\nthis._Score = Score;');
    assertLines(score, '[JsonProperty("ToString", NullValueHandling = NullValueHandling.Ignore)]');
  });

  it('makes a list that contains itself a Document', () => {
    const sections: Sections = {
      'GameSparks.Core.Model': {
        Tree: { List: { Shape: 'Tree' } },
        News: { Structure: { Fields: { tree: { Shape: 'Tree', Cardinality: 'Required' } } } },
      },
      'GameSparks.Core.Notifications': { News: { NotificationShape: 'News' } },
    };
    const [{ text }] = filesOf(gameMessages('Sample', readModel(sections)));
    assert.match(text, /public News\((IReadOnlyList<){8}Newtonsoft\.Json\.Linq\.JToken>{8} tree\)/);
  });

  it('turns descriptions into comments, whatever they say', () => {
    assertLines(sample, '/// <summary>Looks for opponents.</summary>\npublic static void EnqueueFindMatchRequest');
    assertLines(sample, '/// <summary>As shown &amp; told.</summary>\n[JsonProperty]\npublic string Name { get; }');
    assertLines(
      sample,
      `/// <summary>
      /// One of the others.
      /// */ &lt;/summary&gt; @ts-expect-error "
      /// injected
      /// </summary>
      public sealed class Opponent`,
    );
  });
});
