export const PROTOCOL = 'respark.v1';
