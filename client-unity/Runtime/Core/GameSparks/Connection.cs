using System;
using System.Collections.Generic;
using System.Threading.Tasks;
using Amazon.GameSparks.Unity.EngineIntegration;
using Newtonsoft.Json;
using Newtonsoft.Json.Converters;
using Newtonsoft.Json.Linq;
using Respark;

namespace Amazon.GameSparks.Unity.DotNet
{
    /// <summary>
    /// What generated code sends its messages through. It connects by itself with the first message. Requests wait while the
    /// client connects, as long as their time-out allows; once they have been sent, they are never sent again. Requests to
    /// a client that has stopped fail with the reason: whoever was kicked comes back only when the game calls
    /// <see cref="ResparkClient.Connect"/>. All handlers are called while the client is updated.
    /// </summary>
    public sealed class Connection
    {
        /// <summary>How many requests may wait for a connection; more are refused with the code `busy`. All are sent at the
        /// welcome, so they must fit what a server allows, which is 64 in flight by default, beside others.</summary>
        private const int MaxWaiting = 48;

        private readonly JsonSerializer serializer = JsonSerializer.Create(new JsonSerializerSettings
        {
            DateParseHandling = DateParseHandling.None,
            ConstructorHandling = ConstructorHandling.AllowNonPublicDefaultConstructor,
            // The keys of a map may be whatever a player writes, such as `$ref`.
            MetadataPropertyHandling = MetadataPropertyHandling.Ignore,
            // Ours say so themselves; of those that Amazon's generator wrote nobody knows.
            Converters = { new StringEnumConverter() },
        });

        private readonly List<Waiting> waiting = new List<Waiting>();
        private readonly Dictionary<string, Action<JObject>> subscriptions = new Dictionary<string, Action<JObject>>();
        private bool hasConnected;

        public Connection(ResparkClient client)
        {
            Client = client;
            hasConnected = client.State != ClientState.Closed;
            client.StateChanged += OnState;
            client.Notified += OnNotification;
        }

        /// <summary>The player's connection itself, with its state, its events and the reason for its end.</summary>
        public ResparkClient Client { get; }

        /// <summary>
        /// Calls exactly one of the three. The error has the code `bad_response` if the response does not fit its class. If
        /// the connection ends before the answer, or none comes in time, the request may or may not have taken effect.
        /// Throws a RequestException if the payload cannot be JSON.
        /// </summary>
        public void SendRequest<TRequest, TResponse>(
            Message<TRequest> request,
            TimeSpan timeout,
            Action<Message<TResponse>> handleResponse,
            Action<Message<DefaultError>> handleError,
            Action handleTimeout)
        {
            Send(
                request,
                timeout,
                handleResponse,
                error =>
                {
                    if (error is RequestTimeoutException) handleTimeout();
                    else handleError(new Message<DefaultError>(request.Type, new DefaultError(error)));
                });
        }

        /// <summary>The same for `await`. It fails with a RequestException, a RequestTimeoutException or a
        /// ConnectionClosedException.</summary>
        public Task<TResponse> SendRequestAsync<TRequest, TResponse>(Message<TRequest> request, TimeSpan timeout)
        {
            var answer = new TaskCompletionSource<TResponse>();
            Send<TRequest, TResponse>(
                request,
                timeout,
                response => answer.TrySetResult(response.Payload),
                error => answer.TrySetException(error));
            return answer.Task;
        }

        /// <summary>Sends what gets no answer. Throws a RequestException or a ConnectionClosedException if it was not sent,
        /// which includes that there is no connection at the moment.</summary>
        public void SendEvent<T>(Message<T> message)
        {
            Client.Event(message.Type, PayloadOf(message));
        }

        /// <summary>Calls the handler for each notification of this type, until what is returned is disposed of. If one
        /// does not fit its class, the update of the client throws a RequestException.</summary>
        public IDisposable SubscribeToNotification<T>(string type, Action<Message<T>> handleNotification)
        {
            Action<JObject> handler = payload => handleNotification(new Message<T>(type, Read<T>(type, payload)));
            subscriptions.TryGetValue(type, out var others);
            subscriptions[type] = others + handler;
            return new Subscription(() => subscriptions[type] -= handler);
        }

        private void Send<TRequest, TResponse>(
            Message<TRequest> request,
            TimeSpan timeout,
            Action<Message<TResponse>> handleResponse,
            Action<ResparkException> handleError)
        {
            var type = request.Type;
            var payload = PayloadOf(request);
            Action<JObject> read = answer =>
            {
                Message<TResponse> response;
                try
                {
                    response = new Message<TResponse>(type, Read<TResponse>(type, answer));
                }
                catch (RequestException error)
                {
                    handleError(error);
                    return;
                }
                handleResponse(response);
            };
            if (Client.State == ClientState.Closed && !hasConnected) Client.Connect();
            if (Client.State == ClientState.Connected || Client.State == ClientState.Closed)
            {
                Client.Request(type, payload, read, handleError, timeout);
                return;
            }
            if (waiting.Count >= MaxWaiting)
            {
                var refusal = new RequestException($"{MaxWaiting} requests wait for the connection; send this later", "busy");
                Client.Loop.Soon(() => handleError(refusal));
                return;
            }
            waiting.Add(new Waiting(this, type, payload, timeout, read, handleError));
        }

        private void OnState(ClientState state)
        {
            hasConnected = true;
            if (state != ClientState.Connected && state != ClientState.Closed) return;
            var all = waiting.ToArray();
            waiting.Clear();
            foreach (var request in all) request.Send();
        }

        private void OnNotification(Notification notification)
        {
            if (!subscriptions.TryGetValue(notification.Type, out var handlers) || handlers == null) return;
            foreach (var handler in handlers.GetInvocationList())
            {
                Client.Loop.Call((Action<JObject>)handler, notification.Payload);
            }
        }

        private JObject PayloadOf<T>(Message<T> message)
        {
            try
            {
                return JObject.FromObject(message.Payload, serializer);
            }
            catch (Exception error)
            {
                throw new RequestException($"payload must be a JSON object: {error.Message}", "bad_request", error);
            }
        }

        private T Read<T>(string type, JObject payload)
        {
            try
            {
                return payload.ToObject<T>(serializer);
            }
            catch (Exception error)
            {
                throw new RequestException($"\"{type}\" does not fit its class: {error.Message}", "bad_response", error);
            }
        }

        /// <summary>A request that waits for the connection.</summary>
        private sealed class Waiting
        {
            private readonly ResparkClient client;
            private readonly string type;
            private readonly JObject payload;
            private readonly Action<JObject> handleResponse;
            private readonly Action<ResparkException> handleError;
            private readonly double dueMs;
            private readonly EventLoop.Timer timer;

            internal Waiting(
                Connection connection,
                string type,
                JObject payload,
                TimeSpan timeout,
                Action<JObject> handleResponse,
                Action<ResparkException> handleError)
            {
                client = connection.Client;
                this.type = type;
                this.payload = payload;
                this.handleResponse = handleResponse;
                this.handleError = handleError;
                dueMs = client.Loop.NowMs + timeout.TotalMilliseconds;
                timer = client.Loop.AfterDeadline(timeout.TotalMilliseconds, _ =>
                {
                    connection.waiting.Remove(this);
                    handleError(new RequestTimeoutException(type, timeout.TotalMilliseconds));
                });
            }

            /// <summary>Sends it, or has it fail with the reason for which there is no connection.</summary>
            internal void Send()
            {
                timer.Cancel();
                var left = TimeSpan.FromMilliseconds(Math.Max(0, dueMs - client.Loop.NowMs));
                client.Request(type, payload, handleResponse, handleError, left);
            }
        }

        private sealed class Subscription : IDisposable
        {
            private Action end;

            internal Subscription(Action end)
            {
                this.end = end;
            }

            public void Dispose()
            {
                end?.Invoke();
                end = null;
            }
        }
    }
}
