// The API's documentation, drawn from the gateway's own OpenAPI document; nothing is loaded from elsewhere.

globalThis.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
