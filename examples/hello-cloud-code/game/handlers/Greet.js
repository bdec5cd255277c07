const player = GameSparks().CurrentPlayer();

// A player may send two requests at once: SetData throws a conflict if the other has counted meanwhile.
for (let attempt = 0; attempt < 10; attempt += 1) {
  const times = (player.GetData(['Greetings']).Greetings || 0) + 1;
  try {
    player.SetData({ Greetings: times });
  } catch (error) {
    if (error.code === 'conflict') continue;
    throw error;
  }
  GameSparks().Logging().Info('greeting', player.Id(), 'for time', times);
  return GameSparks().Messaging().Response({
    Greeting: 'Hello ' + (message.Name || 'stranger') + ', this is greeting number ' + times + '!',
    Times: times,
  });
}
return GameSparks().Messaging().Error('TRY_AGAIN', 'Too many greetings at once.');
