// A player of the game of the tests, as a studio would write one in C#: it does what stdin says, and prints what happens.
using System;
using System.Collections.Concurrent;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using Amazon.GameSparks.Unity.DotNet;
using Amazon.GameSparks.Unity.Generated;
using Respark;

public static class Player
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);
    private static readonly ConcurrentQueue<string> Lines = new ConcurrentQueue<string>();

    /// <param name="arguments">The URL, the game key, a file for the token, and the longest wait in milliseconds.</param>
    public static void Main(string[] arguments)
    {
        var client = new ResparkClient(new ClientOptions
        {
            Url = arguments[0],
            GameKey = arguments[1],
            Storage = new FileStorage(arguments[2]),
            Reconnect = new BackoffOptions { Cap = TimeSpan.FromMilliseconds(double.Parse(arguments[3])) },
            Random = () => 0.5,
            Locale = "de",
        });
        client.Welcomed += welcome => Print($"welcome {welcome.PlayerId}");
        client.Disconnected += end => Print(Shown(end));
        client.Failed += error => Print($"failed {error.Message}: {error.InnerException?.Message}");
        var connection = new Connection(client);
        connection.SubscribeToHeardNotification(heard => Print($"heard {heard.Payload.Text} in {Thread.CurrentThread.Name}"));

        Thread.CurrentThread.Name = "the game's thread";
        client.Connect();
        ReadLines();
        while (true)
        {
            while (Lines.TryDequeue(out var line))
            {
                if (line == null)
                {
                    Leave(client);
                    return;
                }
                Do(line, connection);
            }
            client.Update();
            Thread.Sleep(5);
        }
    }

    /// <summary>Mono may crash if a process ends while sockets are still open.</summary>
    private static void Leave(ResparkClient client)
    {
        var closed = client.Close();
        while (!closed.IsCompleted)
        {
            client.Update();
            Thread.Sleep(5);
        }
    }

    private static void Do(string line, Connection connection)
    {
        switch (line)
        {
            case "connect":
                connection.Client.Connect();
                break;
            case "add":
                connection.EnqueueAddRequest(
                    new GameOperations.AddRequest(2, 3),
                    response => Print($"sum {response.Payload.Sum} in {Thread.CurrentThread.Name}"),
                    error => Print($"error {error.Payload}"),
                    () => Print("timeout"),
                    Timeout);
                break;
            case "await":
                Await(connection);
                break;
            case "shout":
                connection.EnqueueShoutEvent(new GameOperations.ShoutEvent("hé 👋"));
                break;
            case "pause":
                // As on a phone whose player does something else: nothing is updated until the next line comes.
                Print("paused");
                while (!Lines.TryDequeue(out line)) Thread.Sleep(5);
                break;
            case "state":
                Print($"state {connection.Client.State}");
                break;
            default:
                throw new ArgumentException(line);
        }
    }

    private static async void Await(Connection connection)
    {
        var response = await connection.SendAddRequestAsync(new GameOperations.AddRequest(3, 4), Timeout);
        Print($"awaited {response.Sum}");
    }

    private static string Shown(Disconnect end)
    {
        var closure = end.Closure;
        var next = end.ReconnectInMs == null ? "stays away" : "comes back";
        var farewell = closure.Farewell == null ? "" : $", {closure.Farewell.Reason}, \"{closure.Farewell.Message}\"";
        return $"disconnect {closure.CloseCode} {closure.Name}, {closure.Reason}, request {closure.RequestId}{farewell}, {next}";
    }

    private static void ReadLines()
    {
        var reader = new Thread(() =>
        {
            string line;
            do
            {
                line = Console.In.ReadLine();
                Lines.Enqueue(line);
            }
            while (line != null);
        });
        reader.IsBackground = true;
        reader.Start();
    }

    private static void Print(string line)
    {
        Console.Out.WriteLine(line);
        Console.Out.Flush();
    }

    private sealed class FileStorage : ITokenStorage
    {
        private readonly string file;

        internal FileStorage(string file)
        {
            this.file = file;
        }

        public bool IsShared => false;

        public Task<string> LoadAsync(TokenScope scope)
        {
            return Task.Run(() => File.Exists(file) ? File.ReadAllText(file) : null);
        }

        public Task SaveAsync(string token, TokenScope scope)
        {
            return Task.Run(() =>
            {
                if (token == null) File.Delete(file);
                else File.WriteAllText(file, token);
                Print(token == null ? "forgot" : "saved");
            });
        }
    }
}
