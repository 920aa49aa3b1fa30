<%-- Adds an endpoint that echoes at /echo when it is asked for; a JSP, since Tomcat compiles it without a JDK. --%>
<%@ page import="jakarta.websocket.*, jakarta.websocket.server.*" %>
<%!
  public static class Echo extends Endpoint {
    public void onOpen(Session session, EndpointConfig config) {
      session.addMessageHandler(String.class, text -> session.getAsyncRemote().sendText(text));
    }
  }

  public void jspInit() {
    try {
      ServerContainer container =
          (ServerContainer) getServletContext().getAttribute(ServerContainer.class.getName());
      container.setDefaultMaxSessionIdleTimeout(Long.getLong("idle"));
      container.addEndpoint(ServerEndpointConfig.Builder.create(Echo.class, "/echo").build());
    } catch (DeploymentException error) {
      throw new RuntimeException(error);
    }
  }
%>
