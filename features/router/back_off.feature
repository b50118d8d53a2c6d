Feature: An instance in trouble backs off
  After an error that may pass an instance waits twice its polling period, then twice as long each time, an hour at most, each wait shortened by chance
  by up to a quarter. A time that the server names is honoured. An error that stays stops the instance until its configuration changes or somebody
  resumes it. The owner of the mailbox is told.

  Background:
    Given an organization "Alder" that uses the Email Router
    And a routed user "Ada" with the address "ada@alder.test"
    And the file has a feed "news" for "Ada"

  Scenario: Each wait is twice as long
    Given the feed "news" cannot be reached
    When the router runs
    Then the instance "news" runs again within 90 to 120 seconds
    When the router runs again after 2 minutes
    Then the instance "news" runs again within 180 to 240 seconds
    When the router runs again after 4 minutes
    Then the instance "news" runs again within 360 to 480 seconds

  Scenario: An hour is the longest wait
    Given the feed "news" cannot be reached
    And the router ran
    When the router runs again after 2 hours
    And the router runs again after 2 hours
    And the router runs again after 2 hours
    And the router runs again after 2 hours
    And the router runs again after 2 hours
    And the router runs again after 2 hours
    Then the instance "news" runs again within 2700 to 3600 seconds

  Scenario: A success ends it
    Given the feed "news" cannot be reached
    And the router ran
    When the feed "news" works again
    And the router runs again after 2 minutes
    Then the instance "news" runs again within 60 to 60 seconds

  Scenario: A server that names a time is believed
    Given the feed "news" asks to be left alone for 2 hours
    When the router runs
    Then the instance "news" runs again within 7200 to 7200 seconds

  Scenario: The owner is told when a server stays away
    Given the organization's "GenerateAlertsForWarnings" is "on"
    And the feed "news" cannot be reached
    When the router runs
    And the router runs again after 5 minutes
    And the router runs again after 10 minutes
    Then the mailbox of "Ada" has the alert "Socket returned exception ConnectionReset"

  Scenario: Refused credentials stop it until somebody resumes it
    Given the feed "news" refuses the password
    When the router runs
    Then the instance "news" is stopped because "refused"
    And the instance "news" does not run again by itself
    And the mailbox of "Ada" has the alert "IncomingEmailAuthenticationError"
    When the feed "news" works again
    And somebody resumes "news"
    Then the instance "news" is waiting

  Scenario: Another configuration lets it go on too
    Given the feed "news" refuses the password
    And the router ran
    When the feed "news" works again
    And the file has a feed "news" for "Ada" with EmailPassword=another
    And the file is saved
    And the router runs again after 5 seconds
    Then the instance "news" is waiting
