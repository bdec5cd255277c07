


using System;
using Amazon.GameSparks.Unity.DotNet;
using Amazon.GameSparks.Unity.EngineIntegration;
using Newtonsoft.Json;

namespace Amazon.GameSparks.Unity.Generated
{
    public static class WeatherOperations
    {
        public sealed class GetForecastRequest
        {
            [JsonProperty]
            public string city { get; }

            [JsonProperty]
            public int days { get; }

            public GetForecastRequest(string city, int days)
            {
                this.city = city;
                this.days = days;
            }

            public override string ToString()
            {
                return string.Concat(
                    $"{nameof(city)}: { city }", Environment.NewLine,
                    $"{nameof(days)}: { days }"
                );
            }
        }

        public sealed class GetForecastResponse
        {
            [JsonProperty]
            public string result { get; }

            public GetForecastResponse(string result)
            {
                this.result = result;
            }

            public override string ToString()
            {
                return string.Concat(
                    $"{nameof(result)}: { result }"
                );
            }
        }

        public static void EnqueueGetForecastRequest(this Connection connection, GetForecastRequest payload, Action<Message<GetForecastResponse>> handleResponse, Action<Message<DefaultError>> handleError, Action handleTimeout, TimeSpan timeout)
        {
            connection.SendRequest(new Message<GetForecastRequest>("Custom.Game.GetForecast", payload), timeout, handleResponse, handleError, handleTimeout);
        }

        public sealed class ListCitiesRequest
        {
            public ListCitiesRequest(
            )
            {
            }

            public override string ToString()
            {
                return string.Concat("");
            }
        }

        public sealed class ListCitiesResponse
        {
            [JsonProperty]
            public string cities { get; }

            public ListCitiesResponse(string cities)
            {
                this.cities = cities;
            }

            public override string ToString()
            {
                return string.Concat(
                    $"{nameof(cities)}: { cities }"
                );
            }
        }

        public static void EnqueueListCitiesRequest(this Connection connection, ListCitiesRequest payload, Action<Message<ListCitiesResponse>> handleResponse, Action<Message<DefaultError>> handleError, Action handleTimeout, TimeSpan timeout)
        {
            connection.SendRequest(new Message<ListCitiesRequest>("Custom.Game.ListCities", payload), timeout, handleResponse, handleError, handleTimeout);
        }
    }
}
