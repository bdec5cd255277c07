const room = GameSparks().Player('room');

for (let attempt = 0; attempt < 10; attempt += 1) {
  const members = room.GetData(['Members']).Members || {};
  delete members[GameSparks().CurrentPlayer().Id()];
  try {
    room.SetData({ Members: members });
    return GameSparks().Messaging().Response({});
  } catch (error) {
    if (error.code !== 'conflict') throw error;
  }
}
return GameSparks().Messaging().Error('TRY_AGAIN', 'Too many players leave at once.');
