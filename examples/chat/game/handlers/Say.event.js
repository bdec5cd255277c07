const me = GameSparks().CurrentPlayer().Id();
const members = GameSparks().Player('room').GetData(['Members']).Members || {};
if (Object.keys(members).indexOf(me) === -1) return;

for (const id of Object.keys(members)) {
  if (id !== me) {
    GameSparks().Messaging().SendNotification('Said', { Name: members[me], PlayerId: me, Text: message.Text }, id);
  }
}
