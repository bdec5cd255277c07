const MAX_MEMBERS = 20;
const me = GameSparks().CurrentPlayer().Id();
const room = GameSparks().Player('room');

for (let attempt = 0; attempt < 10; attempt += 1) {
  const members = room.GetData(['Members']).Members || {};
  if (members[me] === undefined && Object.keys(members).length >= MAX_MEMBERS) {
    return GameSparks().Messaging().Error('ROOM_FULL', 'There are ' + MAX_MEMBERS + ' players in this room.');
  }
  members[me] = message.Name;
  try {
    room.SetData({ Members: members });
    return GameSparks().Messaging().Response({ Others: Object.keys(members).length - 1 });
  } catch (error) {
    // Somebody else has entered since the list was read.
    if (error.code !== 'conflict') throw error;
  }
}
return GameSparks().Messaging().Error('TRY_AGAIN', 'Too many players enter at once.');
