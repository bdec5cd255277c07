// A game that uses the code generated for the sample game.
using System;
using System.Collections.Generic;
using Amazon.GameSparks.Unity.DotNet;
using Amazon.GameSparks.Unity.Generated;

public static class Game
{
    public static void Main()
    {
        var connection = new Connection();
        var timeout = TimeSpan.FromSeconds(10);

        connection.EnqueueGetPlayerTokenRequest(
            new IdentityOperations.GetPlayerTokenRequest(),
            response => { string token = response.Payload.AuthenticationToken; },
            error => Console.WriteLine(error.Payload),
            () => Console.WriteLine("timeout"),
            timeout);

        connection.EnqueueFindMatchRequest(
            new SampleOperations.FindMatchRequest(SampleOperations.Mode.duel, Level: 3),
            response =>
            {
                SampleOperations.Opponent opponent = response.Payload.Opponents[0];
                decimal? rating = opponent.Rating;
                DateTimeOffset since = opponent.Since;
                long score = response.Payload.Scores["best"];
                Newtonsoft.Json.Linq.JToken extra = response.Payload.Extra;
            },
            error => { },
            () => { },
            timeout);

        SampleOperations.FindMatchResponse awaited =
            connection.SendFindMatchRequestAsync(new SampleOperations.FindMatchRequest(SampleOperations.Mode.duel), timeout).Result;
        Console.WriteLine(awaited == null ? "no response" : "a response");

        connection.EnqueueMovedEvent(new SampleOperations.MovedEvent(@class: "knight", x: 1, isFinal: true));

        connection.SubscribeToChatNotification(message =>
        {
            SampleOperations._Message chat = message.Payload;
            Console.WriteLine(chat == null ? "nothing" : chat._Environment);
        });

        Console.WriteLine(new SampleOperations.Opponent("ada", new DateTimeOffset(2024, 1, 2, 3, 4, 5, TimeSpan.Zero), Rating: 1.5m));
    }
}
