/** The bundler takes styles in; they have no value. */
declare module '*.css';
