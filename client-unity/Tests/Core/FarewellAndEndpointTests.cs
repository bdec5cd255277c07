using System.Threading;
using System.Globalization;
using Newtonsoft.Json.Linq;
using NUnit.Framework;

namespace Respark.Tests
{
    [TestFixture]
    public sealed class FarewellTests
    {
        private const string Messages =
            "{\"messages\":{\"de\":\"Tschau\",\"en\":\"Bye\",\"pt\":\"Adeus\",\"pt-BR\":\"Tchau\",\"zh-Hant\":\"再見\"}}";

        [TestCase("pt-BR", "Tchau", Messages)]
        [TestCase("pt_br", "Tchau", Messages)]
        [TestCase("pt-PT", "Adeus", Messages)]
        [TestCase("zh-Hant-TW", "再見", Messages)]
        [TestCase("zh", "Bye", Messages)]
        [TestCase("fr-FR", "Bye", Messages)]
        [TestCase("", "Bye", Messages)]
        [TestCase("nl-NL", "Salut", "{\"messages\":{\"fr\":\"Salut\",\"de\":\"Tschau\"}}")]
        [TestCase("nl-NL", "Salut", "{\"messages\":{\"en\":\"Bye\",\"und\":\"Salut\"}}")]
        [TestCase("en-GB", "Cheers", "{\"messages\":{\"en-GB\":\"Cheers\",\"fr\":\"Salut\"}}")]
        [TestCase("fr", "Salut", "{\"message\":null,\"messages\":{\"fr\":\"Salut\"}}")]
        [TestCase("fr", "All alike", "{\"message\":\"All alike\",\"messages\":{\"fr\":\"Salut\"}}")]
        public void The_message_is_that_of_the_locale_else_of_its_language_else_in_English_else_the_first(
            string locale, string message, string payload)
        {
            Assert.AreEqual(message, Farewell.Read(JObject.Parse(payload), locale).Message);
        }

        [Test]
        public void Without_a_locale_the_platform_says_which_one()
        {
            var before = Thread.CurrentThread.CurrentUICulture;
            Thread.CurrentThread.CurrentUICulture = new CultureInfo("pt-BR");
            try
            {
                Assert.AreEqual("Tchau", Farewell.Read(JObject.Parse(Messages), null).Message);
            }
            finally
            {
                Thread.CurrentThread.CurrentUICulture = before;
            }
        }

        [Test]
        public void What_is_missing_or_of_another_type_is_left_out()
        {
            var whole = Farewell.Read(
                JObject.Parse("{\"reason\":\"AFK\",\"message\":\"Bye\",\"until\":1700000000000,\"requestId\":\"r-1\",\"more\":true}"),
                null);
            Assert.AreEqual("AFK", whole.Reason);
            Assert.AreEqual("Bye", whole.Message);
            Assert.AreEqual(1700000000000, whole.Until.Value.ToUnixTimeMilliseconds());
            Assert.AreEqual("r-1", whole.RequestId);
            foreach (var messages in new[] { "null", "\"text\"", "7", "[]", "{}", "{\"en\":7}" })
            {
                var none = Farewell.Read(JObject.Parse($"{{\"reason\":1,\"until\":\"soon\",\"requestId\":null,\"messages\":{messages}}}"), "en");
                Assert.IsNull(none.Reason);
                Assert.IsNull(none.Message, messages);
                Assert.IsNull(none.Until);
                Assert.IsNull(none.RequestId);
            }
            Assert.IsNull(Farewell.Read(JObject.Parse("{\"message\":{}}"), "en").Message);
        }
    }

    [TestFixture]
    public sealed class EndpointTests
    {
        [TestCase("ws://host:8080", "ws://host:8080/connect")]
        [TestCase("wss://host/", "wss://host/connect")]
        [TestCase("http://127.0.0.1:8080", "ws://127.0.0.1:8080/connect")]
        [TestCase("https://host", "wss://host/connect")]
        [TestCase("wss://host/behind/a/proxy", "wss://host/behind/a/proxy")]
        [TestCase("ws://[::1]:8080?a=b#top", "ws://[::1]:8080/connect?a=b")]
        [TestCase(" HTTPS://Play.Example:443/Path/?a=B ", "wss://play.example/Path/?a=B")]
        [TestCase("ws://host:80", "ws://host/connect")]
        [TestCase("ws://host:443", "ws://host:443/connect")]
        [TestCase("wss://host:8080/connect#x?y", "wss://host:8080/connect")]
        public void Means(string url, string endpoint)
        {
            Assert.AreEqual(endpoint, Endpoint.Of(url));
            Assert.AreEqual(endpoint, new System.Uri(endpoint).AbsoluteUri);
        }

        [Test]
        public void Is_where_the_socket_is_opened()
        {
            var world = new World(options => options.Url = "https://host:8443");
            world.Client.Connect();
            world.Settle();
            Assert.AreEqual("wss://host:8443/connect", world.Newest.Url);
        }

        [TestCase("localhost")]
        [TestCase("")]
        [TestCase("ws://")]
        [TestCase("ws:host")]
        [TestCase("/connect")]
        [TestCase("ws://a host")]
        [TestCase("ws:///connect")]
        [TestCase("ws://?x")]
        public void Is_refused_at_once(string url)
        {
            var error = Assert.Throws<ResparkException>(() => new World(options => options.Url = url));
            Assert.AreEqual("bad_option", error.Code);
            Assert.AreEqual($"url must be like ws://HOST:PORT, got \"{url}\"", error.Message);
        }

        [Test]
        public void With_another_scheme_is_refused_at_once()
        {
            var error = Assert.Throws<ResparkException>(() => new World(options => options.Url = "ftp://host"));
            Assert.AreEqual("url must begin with ws, wss, http or https, got \"ftp://host\"", error.Message);
        }
    }
}
