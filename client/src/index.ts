export const SDK = 'x';
