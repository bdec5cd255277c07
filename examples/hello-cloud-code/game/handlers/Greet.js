const player = GameSparks().CurrentPlayer();
const times = (player.GetData(['Greetings']).Greetings || 0) + 1;
player.SetData({ Greetings: times });

GameSparks()
  .Logging()
  .Info('greeting ' + player.Id() + ' for the ' + times + '. time');

return GameSparks().Messaging().Response({
  Greeting: 'Hello ' + (message.Name || 'stranger') + ', this is greeting number ' + times + '!',
  Times: times,
});
