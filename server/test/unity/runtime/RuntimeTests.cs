// Plays Unity to the part of the package that needs it, on the stand-ins.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using System.Threading;
using Amazon.GameSparks.Unity.Editor.Assets;
using NUnit.Framework;
using Respark;
using UnityEngine;

[TestFixture]
public sealed class RuntimeTests
{
    private List<Socket> sockets;
    private ConnectionScriptableObject asset;

    private sealed class Socket : ISocket
    {
        private readonly EventLoop loop;
        private readonly ISocketListener listener;

        internal Socket(string url, EventLoop loop, ISocketListener listener)
        {
            Url = url;
            this.loop = loop;
            this.listener = listener;
        }

        public long BufferedBytes => 0;

        internal string Url { get; }

        internal bool IsClosed { get; private set; }

        public void Send(string text)
        {
        }

        public void Close(int code)
        {
            IsClosed = true;
            loop.Post(() => listener.Closed(code, "", null));
        }

        public void Abort()
        {
            Close(1006);
        }
    }

    /// <summary>Starts a game, as Unity does before it loads the first scene.</summary>
    private static void BeginGame()
    {
        const BindingFlags Any = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;
        foreach (var method in typeof(ClientPump).Assembly.GetTypes().SelectMany(type => type.GetMethods(Any)))
        {
            if (method.GetCustomAttribute<RuntimeInitializeOnLoadMethodAttribute>() != null) method.Invoke(null, null);
        }
    }

    private static void EndGame()
    {
        Application.Quit();
        foreach (var behaviour in GameObject.Added.ToArray()) UnityEngine.Object.DestroyImmediate(behaviour);
    }

    /// <summary>As many as a client needs to do what takes no time.</summary>
    private static void PassFrames()
    {
        for (var frame = 0; frame < 5; frame += 1)
        {
            foreach (var behaviour in GameObject.Added.ToArray()) behaviour.Send("Update");
        }
    }

    private ConnectionScriptableObject MakeAsset()
    {
        var made = ScriptableObject.CreateInstance<ConnectionScriptableObject>();
        made.Configure("key", "ws://one");
        made.Configuring += UseSockets;
        return made;
    }

    private void UseSockets(ClientOptions options)
    {
        options.OpenSocket = (url, subprotocol, loop, listener) =>
        {
            sockets.Add(new Socket(url, loop, listener));
            return sockets.Last();
        };
    }

    private ResparkClient Connect()
    {
        var client = asset.Connection.Client;
        client.Connect();
        PassFrames();
        return client;
    }

    [SetUp]
    public void SetUp()
    {
        BeginGame();
        sockets = new List<Socket>();
        asset = MakeAsset();
    }

    [TearDown]
    public void TearDown()
    {
        EndGame();
        Application.systemLanguage = SystemLanguage.Unknown;
    }

    [Test]
    public void An_asset_has_one_connection_which_opens_in_the_frames_of_the_game()
    {
        var client = asset.Connection.Client;
        client.Connect();
        Assert.IsEmpty(sockets);
        PassFrames();
        Assert.AreEqual("ws://one/connect", sockets.Single().Url);
        Assert.AreSame(client, asset.Connection.Client);
    }

    [Test]
    public void An_asset_stays_loaded_while_its_connection_lasts_although_no_scene_refers_to_it()
    {
        var unreferenced = ConnectAndForget();
        for (var collection = 0; collection < 5; collection += 1)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        Assert.IsTrue(unreferenced.All(reference => reference.IsAlive), "the next scene would make a second connection");
    }

    /// <summary>Many, because one may lie on the stack by chance.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private WeakReference[] ConnectAndForget()
    {
        return Enumerable.Range(0, 50)
            .Select(_ =>
            {
                var made = MakeAsset();
                made.Connection.Client.Connect();
                return new WeakReference(made);
            })
            .ToArray();
    }

    [Test]
    public void The_end_of_the_game_closes_its_connections_also_one_whose_game_connects_again_at_each_end()
    {
        var client = Connect();
        client.Disconnected += end => client.Connect();
        EndGame();
        Assert.IsNotEmpty(sockets);
        Assert.IsTrue(sockets.TrueForAll(socket => socket.IsClosed));
    }

    [Test]
    public void A_script_that_uses_the_connection_at_the_end_of_the_game_makes_nothing_that_would_outlive_it()
    {
        var client = Connect();
        EndGame();
        Assert.AreSame(client, asset.Connection.Client);
        ClientPump.Add(client);
        Assert.IsEmpty(GameObject.Added);
    }

    [Test]
    public void The_next_game_in_the_editor_gets_another_connection_and_none_of_the_handlers_of_the_one_before()
    {
        var client = Connect();
        EndGame();
        BeginGame();
        var configured = 0;
        asset.Configuring += options => configured += 1;
        asset.Configuring += UseSockets;
        Assert.AreNotSame(client, Connect());
        Assert.AreEqual(2, sockets.Count);
        EndGame();
        BeginGame();
        asset.Configuring += UseSockets;
        Connect();
        Assert.AreEqual(1, configured);
        Assert.AreEqual(3, sockets.Count);
    }

    [Test]
    public void A_handler_that_was_there_before_the_first_game_of_a_process_began_is_one_of_that_game()
    {
        typeof(ClientPump).GetProperty("Game", BindingFlags.Static | BindingFlags.NonPublic).SetValue(null, 0);
        asset = MakeAsset();
        BeginGame();
        Connect();
        Assert.AreEqual(1, sockets.Count);
    }

    [Test]
    public void An_object_that_the_game_disables_closes_its_connections_and_the_next_use_makes_another()
    {
        var client = Connect();
        GameObject.Added.Single().enabled = false;
        Assert.IsTrue(sockets.Single().IsClosed);
        Assert.AreNotSame(client, Connect());
        Assert.AreEqual(2, sockets.Count);
        Assert.IsFalse(sockets[1].IsClosed);
    }

    [Test]
    public void Another_key_closes_the_connection_that_had_the_one_before()
    {
        var client = Connect();
        asset.Configure("other", "ws://two");
        Assert.IsTrue(sockets.Single().IsClosed);
        PassFrames();
        Assert.AreEqual(ClientState.Closed, client.State);
        Assert.IsFalse(ClientPump.Updates(client));
        Connect();
        Assert.AreEqual("ws://two/connect", sockets.Last().Url);
    }

    [Test]
    public void A_client_that_was_removed_is_updated_until_its_end_and_may_be_added_again()
    {
        var client = Connect();
        ClientPump.Remove(client);
        Assert.IsFalse(ClientPump.Updates(client));
        ClientPump.Add(client);
        client.Connect();
        PassFrames();
        Assert.IsTrue(ClientPump.Updates(client));
        Assert.AreEqual(2, sockets.Count);
        Assert.IsFalse(sockets[1].IsClosed);
    }

    [TestCase(SystemLanguage.German, "", "de")]
    [TestCase(SystemLanguage.Portuguese, "pt-BR", "pt-BR")]
    [TestCase(SystemLanguage.ChineseTraditional, "zh-HK", "zh-HK")]
    [TestCase(SystemLanguage.ChineseSimplified, "", "zh-CN")]
    [TestCase(SystemLanguage.Japanese, "en-US", "ja")]
    [TestCase(SystemLanguage.Unknown, "nl-NL", "nl-NL")]
    [TestCase(SystemLanguage.Unknown, "", null)]
    public void Messages_are_shown_in_the_language_that_Unity_says_with_the_region_that_dotnet_says(
        SystemLanguage language, string culture, string locale)
    {
        var before = Thread.CurrentThread.CurrentUICulture;
        Thread.CurrentThread.CurrentUICulture = new CultureInfo(culture);
        Application.systemLanguage = language;
        try
        {
            Assert.AreEqual(locale, asset.Options().Locale);
        }
        finally
        {
            Thread.CurrentThread.CurrentUICulture = before;
        }
    }

    [Test]
    public void Tokens_can_be_encrypted_also_where_machines_have_no_id()
    {
        var before = SystemInfo.deviceUniqueIdentifier;
        var secret = PlayerPrefsTokenStorage.SecretOfMachine();
        Assert.AreEqual($"respark {before}", Encoding.UTF8.GetString(secret));
        SystemInfo.deviceUniqueIdentifier = "n/a";
        try
        {
            Assert.DoesNotThrow(() => new EncryptedTokenStorage(new PlayerPrefsTokenStorage(), PlayerPrefsTokenStorage.SecretOfMachine()));
        }
        finally
        {
            SystemInfo.deviceUniqueIdentifier = before;
        }
    }
}
